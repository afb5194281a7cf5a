//! What the HTML reports share: a page that needs nothing beside itself, plots as inline SVG, tables, and foreign text
//! made fit for both.

mod figure;
mod page;
mod rate;
mod scale;
mod svg;
mod table;
pub mod testing;
mod text;

pub use figure::{RateCurve, RateFigure};
pub use page::page;
pub use rate::{bits_at, bound_nmse, gap};
pub use scale::{Scale, Tick};
pub use svg::{Line, Plot, bound_swatch, swatch};
pub use table::table;
pub use text::{
    bits, breakable, count, counted, dash, escape, escape_whole, number, signed, steers_direction, target,
};
