//! Contract NAME-5: an archive written by format 1 is read for ever.
