//! People who are forgotten: gone from every object, with or without what they did, whatever comes
//! of them later and whatever goes wrong.

mod gone;
mod privacy;
mod shop;
mod troubles;
