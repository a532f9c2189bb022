locals {
  model_arn = "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-opus-20240229-v1:0"
  profile   = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/global.anthropic.claude-sonnet-4-5-20250929-v1:0"
  current   = "us.anthropic.claude-opus-4-6-v1"
  mantle    = "anthropic.claude-opus-5"
  wildcard  = "arn:aws:bedrock:*::foundation-model/anthropic.claude-3-*"
  near      = "notanthropic.claude-3-opus-20240229-v1:0"
  instance  = "anthropic.claude-3-opus-20240229-v1:1"
}
