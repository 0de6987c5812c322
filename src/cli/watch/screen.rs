//! The terminal: taken over, drawn on some twelve times a second, asked for keys, and given back whatever happens.
//!
//! Not what is drawn (`draw`) and not what keys mean (`keys`, `state`). Called by `watch`.

use std::io;
use std::time::Duration;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event};

use super::draw::draw;
use super::keys::action;
use super::state::{Screen, Step};
use super::{Ends, Eye};

/// Time between two looks at the run.
const TICK: Duration = Duration::from_millis(80);

/// The terminal, until it is dropped; a panic gives it back as well.
pub(super) struct Taken(DefaultTerminal);

impl Taken {
    /// Takes the terminal over.
    pub(super) fn take() -> io::Result<Taken> {
        ratatui::try_init().map(Taken)
    }

    /// Shows a run until it is over and somebody has seen that, or until somebody wants its end.
    pub(super) fn show(&mut self, screen: &mut Screen, eye: &Eye<'_>) -> io::Result<Ends> {
        loop {
            if eye.is_called_off() {
                return Ok(Ends::All);
            }
            if eye.has_stopped_without_an_end() {
                return Ok(Ends::All);
            }
            eye.look(screen);
            self.0.draw(|frame| draw(screen, frame))?;
            if !event::poll(TICK)? {
                continue;
            }
            // Keys that are held down come faster than the screen is drawn.
            while event::poll(Duration::ZERO)? {
                let Event::Key(key) = event::read()? else { continue };
                let Some(action) = action(key) else { continue };
                match screen.act(action) {
                    Step::Stay => {}
                    Step::Ask(wish) => eye.ask(wish),
                    Step::Next => return Ok(Ends::This),
                    Step::Quit => return Ok(Ends::All),
                }
                eye.look(screen);
            }
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        ratatui::restore();
    }
}
