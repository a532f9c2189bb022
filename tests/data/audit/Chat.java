package example;

/** Talks to {@code claude-opus-4-20250514}. */
enum ChatModel {
    OPUS("claude-opus-4-20250514"),
    SONNET("apac.anthropic.claude-sonnet-4-20250514-v1:0"),
    VERTEX("projects/p/locations/us-east5/publishers/anthropic/models/claude-3-opus@20240229:rawPredict"),
    HAIKU("claude-haiku-4-5@20251001"),
    // near misses
    WRONG_DAY("claude-3-opus@20240301"),
    NO_VERSION("claude-3-opus@"),
    CLAUDE_2_1("claude_2_1"),
    HOST("claude-2.1.example.com");
}
