//! Stackful coroutines: hyper on may, and may_minihttp as shipped.
