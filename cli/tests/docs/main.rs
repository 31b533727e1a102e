//! The documents are true: links lead somewhere, names exist, lists are complete.

mod commands;
mod contract;
mod links;
mod names;
mod pages;
