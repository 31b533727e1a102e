//! What an ordered store promises, on an engine that crashes, waits and fails.

mod commit;
mod life;
mod lists;
mod load;
mod meta;
mod waiting;
