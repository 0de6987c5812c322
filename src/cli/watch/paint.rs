//! Colours: a palette that the colour-blind can tell apart, for terminals of 256 and of sixteen colours, and none.
//!
//! After Okabe and Ito ("Color Universal Design", 2008), whose colours differ in lightness too. A letter always says the
//! same as the colour. Called by `draw` and `table`.

use ratatui::style::{Color, Modifier, Style};

use super::letters::Tint;
use super::state::{Look, Paint};

/// The style of a cell that is of a class.
#[must_use]
pub(super) fn cell(tint: Tint, look: Look) -> Style {
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let (ground, letter) = match look.paint {
        Paint::None => return bold,
        Paint::Many => match tint {
            Tint::Yellow => (Color::Indexed(227), Color::Indexed(16)),
            Tint::Orange => (Color::Indexed(214), Color::Indexed(16)),
            Tint::Green => (Color::Indexed(36), Color::Indexed(16)),
            Tint::Blue => (Color::Indexed(25), Color::Indexed(231)),
            Tint::Sky => (Color::Indexed(117), Color::Indexed(16)),
            Tint::Grey => (Color::Indexed(245), Color::Indexed(16)),
            Tint::Purple => (Color::Indexed(175), Color::Indexed(16)),
        },
        Paint::Sixteen => match tint {
            Tint::Yellow => (Color::LightYellow, Color::Black),
            Tint::Orange => (Color::LightRed, Color::Black),
            Tint::Green => (Color::Green, Color::Black),
            Tint::Blue => (Color::Blue, Color::White),
            Tint::Sky => (Color::LightCyan, Color::Black),
            Tint::Grey => (Color::Gray, Color::Black),
            Tint::Purple => (Color::Magenta, Color::White),
        },
    };
    bold.bg(ground).fg(letter)
}

/// The style of the bars of a class.
#[must_use]
pub(super) fn bars(tint: Tint, look: Look) -> Style {
    cell(tint, look).bg.map_or_else(Style::new, |ground| Style::new().fg(ground))
}

/// The style of what matters least.
#[must_use]
pub(super) fn faint(look: Look) -> Style {
    match look.paint {
        Paint::None => Style::new(),
        Paint::Sixteen => Style::new().add_modifier(Modifier::DIM),
        Paint::Many => Style::new().fg(Color::Indexed(245)),
    }
}

/// The style of a class that is starved; its `!` says the same.
#[must_use]
pub(super) fn starved(look: Look) -> Style {
    let bold = Style::new().add_modifier(Modifier::BOLD);
    match look.paint {
        Paint::None => bold.add_modifier(Modifier::REVERSED),
        Paint::Sixteen => bold.fg(Color::White).bg(Color::Red),
        Paint::Many => bold.fg(Color::Indexed(231)).bg(Color::Indexed(130)),
    }
}
