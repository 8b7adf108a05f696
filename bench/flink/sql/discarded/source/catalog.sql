-- In the lake's place: tables that exist only while the job is submitted.
CREATE CATALOG lake WITH (
  'type' = 'generic_in_memory',
  'default-database' = '$namespace'
)
