//! What the runtime owes its callers, piece by piece.
