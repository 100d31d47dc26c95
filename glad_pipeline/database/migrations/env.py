"""Run by Alembic itself (`script_location`): hands it the connection and names that `migrate` prepared."""

from alembic import context

given = context.config.attributes
context.configure(
    connection=given["connection"],
    version_table=given["version_table"],
    version_table_schema=given["schema"],
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
