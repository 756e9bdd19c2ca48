"""What a platform team has, made into a week to replay: metrics, request logs, and accounts of jobs."""
