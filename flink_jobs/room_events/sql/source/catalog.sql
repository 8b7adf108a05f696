-- The lake: Iceberg's REST catalog on this machine, Glue on AWS.
CREATE CATALOG lake WITH (
  'type' = 'iceberg',
  $catalog_options
)
