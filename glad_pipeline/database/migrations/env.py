"""Run by Alembic itself (`script_location`): hands it the connection, or where to print, and names from `steps.py`."""

from alembic import context

given = context.config.attributes
how = (
    {"dialect_name": "postgresql", "output_buffer": given["output"], "literal_binds": True}
    if context.is_offline_mode()
    else {"connection": given["connection"]}
)
context.configure(
    **how,
    version_table=given["version_table"],
    version_table_schema=given["schema"],
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
