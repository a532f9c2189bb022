import Anthropic from "@anthropic-ai/sdk";

type ModelId = "claude-3-7-sonnet-20250219" | 'claude-sonnet-5' | `claude-opus-4-0`;

const prices: Record<string, number> = { "claude-3-haiku-20240307": 0.25, 'claude-mythos-preview': 25 };
const url = `https://gateway.example/v1/models/claude-sonnet-4-0?beta=true`;
const openRouter = "anthropic/claude-sonnet-4-5:thinking";
const escaped = "{\"model\":\"claude-3-5-sonnet-20240620\"}";
const html = "\u0022claude-3-sonnet-20240229\u0022";

// near misses
const dotted = "anthropic/claude-3.5-sonnet";
const joined = `claude-opus-4-1-${date}`;
const custom = "custom_claude-2.1", suffixed = "claude-sonnet-4-0-fast";
const dateOnly = "20250514", family = "claude-sonnet-4";
