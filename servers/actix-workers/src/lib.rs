//! actix-web as shipped.
