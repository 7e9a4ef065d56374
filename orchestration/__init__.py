"""What the DAGs share: their manners, their tables as assets, and the way from a task to a job."""
