package main

const (
	Default  = "claude-sonnet-4-20250514"
	Fallback = `claude-haiku-5-5`
	Bedrock  = "us.anthropic.claude-3-5-sonnet-20241022-v2:0"
	// near misses: a version that Bedrock does not have, and a date of another month
	NoSuchVersion = "anthropic.claude-3-5-sonnet-20241022-v1:0"
	NoSuchDate    = "claude-sonnet-4-20250614"
	NotOurs       = "databricks-claude-opus-4-1"
)
