"""What an AWS account has for the pictures: the bucket as it should be, the CDN's stack, policies for credentials.

Looks, says what differs, and changes it when told to. Each look is a `Part`, and a part's `change` is all that a
change is. Knows S3's configuration, CloudFormation and IAM's language; no objects but their first names, and no rows.
"""
