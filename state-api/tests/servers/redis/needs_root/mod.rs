//! What takes root to arrange: disks and networks. Without it these tests fail; `make test` leaves them out, and says
//! so.

mod disk;
mod vanished;
