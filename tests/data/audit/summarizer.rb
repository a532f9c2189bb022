# frozen_string_literal: true

MODELS = %w[claude-2.0 claude-2.1 claude-opus-5].freeze
OPTIONS = { model: :'claude-3-5-sonnet-20241022', max_tokens: 512 }.freeze
NEAR = %w[claude-2 claude-2.10 claude-21 claude-2.1-100k].freeze
