-- For the numbers that are watched: how many rows are not over, and which of them is the oldest. Each is read from one of these
-- indexes alone, which hold no row that is over and done with.
CREATE INDEX continuations_waiting ON continuations (bot_type, opened_at) INCLUDE (account_id, bot_id) WHERE state = 'waiting';
CREATE INDEX deliveries_watched ON deliveries (way, state, created_at) WHERE state IN ('ready', 'leased', 'dead');
