/// Falls back to `claude-3-haiku-20240307`.
pub const MODEL: &str = "claude-opus-4-5-20251101";
pub const RAW: &str = r#"{"model":"claude-3-haiku-20240307"}"#;
pub const NEAR: &[&str] = &["claude-3-haiku", "claude-haiku-3-20240307", "claude-3-haiku-202403070"];
