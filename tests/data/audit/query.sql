UPDATE jobs SET model = 'claude-sonnet-5-5' WHERE model IN ('claude-2.0','claude-3-sonnet-20240229') OR model LIKE 'claude-2%';
