-- Where the recorded streams are.
CREATE CATALOG recorded WITH (
  'type' = 'iceberg',
  $catalog_options
)
