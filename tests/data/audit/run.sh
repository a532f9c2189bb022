#!/bin/sh
model=${ANTHROPIC_MODEL:-claude-opus-4-1-20250805}
other=${OTHER_MODEL-claude-2.1}
name=${PREFIX}-claude-2.1
curl -s "$BASE/v1/messages" -d "{\"model\":\"claude-sonnet-4-6\",\"max_tokens\":1}"
echo "claude-opus-4-1"|tee log; echo claude-opus-4-1-"$DAY"
