"""DAGs of Airflow: when which work on the lake is done. They only say so; the work is in other packages."""
