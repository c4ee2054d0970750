"""Run by Alembic, on the connection and inside the transaction that ``tokenboard.catalog.migrate`` hands over."""

from alembic import context

from tokenboard.catalog.schema import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    on_version_apply=context.config.attributes["on_version_apply"],
    target_metadata=METADATA,
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
