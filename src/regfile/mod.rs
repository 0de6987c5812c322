//! `.reg` text to registry values and back.
