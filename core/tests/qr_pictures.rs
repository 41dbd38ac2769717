//! What is drawn can be read again by our own reader: files, terminals of both themes, screenshots,
//! turned and inverted codes; and no picture, however hostile, brings the reader down.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "these are tests")]

mod pictures;

use std::time::Instant;

use image::{GrayImage, ImageFormat, Luma, LumaA};
use pairpin_core::link::Link;
use pairpin_core::qr::{LumaFrame, QrError, TerminalStyle, decode_image_file_bytes, decode_luma};
use pictures::{DARK, LIGHT, STYLES, THEMES, code, damage_finder, decode, encoded, link, picture, png, terminal};
use proptest::prelude::*;

fn text(seed: u8) -> String {
    link(seed).to_text().to_string()
}

fn file(bytes: &[u8]) -> Result<String, QrError> {
    decode_image_file_bytes(bytes).map(|text| text.to_string())
}

fn inverted(picture: &GrayImage) -> GrayImage {
    let mut picture = picture.clone();
    image::imageops::invert(&mut picture);
    picture
}

/// The picture turned about its middle, on a larger light ground.
fn turned(picture: &GrayImage, degrees: f64) -> GrayImage {
    let side = f64::from(picture.width()) * 1.6;
    let (sin, cos) = degrees.to_radians().sin_cos();
    let middle = f64::from(picture.width()) / 2.0;
    GrayImage::from_fn(side as u32, side as u32, |x, y| {
        let (x, y) = (f64::from(x) - side / 2.0, f64::from(y) - side / 2.0);
        let (u, v) = (x * cos + y * sin + middle, y * cos - x * sin + middle);
        let inside = u >= 0.0 && v >= 0.0 && u < f64::from(picture.width()) && v < f64::from(picture.height());
        if inside { *picture.get_pixel(u as u32, v as u32) } else { Luma([230]) }
    })
}

/// Draws `small` into `large`.
fn place(large: &mut GrayImage, small: &GrayImage, x: u32, y: u32) {
    image::imageops::replace(large, small, x.into(), y.into());
}

#[test]
fn a_png_of_any_scale_is_read_back() {
    for scale in [1, 2, 3, 5, 8, 16, 64] {
        assert_eq!(file(&code(1).render_png(scale)), Ok(text(1)), "{scale}");
    }
}

#[test]
fn a_scale_out_of_range_is_moved_into_it() {
    assert_eq!(picture(&code(1), 0).width(), 41);
    assert_eq!(picture(&code(1), u32::MAX).width(), 41 * 64);
}

#[test]
fn a_picture_is_black_on_white_with_four_modules_of_margin() {
    let picture = picture(&code(1), 1);
    assert!(picture.pixels().all(|p| matches!(p.0[0], 0 | 255)));
    let dark = |x: u32, y: u32| picture.get_pixel(x, y).0[0] == 0;
    assert!((0..41).all(|i| (0..4).all(|m| !dark(i, m) && !dark(m, i) && !dark(i, 40 - m) && !dark(40 - m, i))));
    assert!(dark(4, 4) && dark(36, 4) && dark(4, 36));
}

#[test]
fn a_damaged_finder_pattern_is_not_read() {
    let mut picture = picture(&code(1), 8);
    assert_eq!(decode(&picture), Some(text(1)));
    damage_finder(&mut picture, 8);
    assert_eq!(decode(&picture), None);
}

#[test]
fn a_jpeg_is_read() {
    assert_eq!(file(&encoded(&picture(&code(2), 6), ImageFormat::Jpeg)), Ok(text(2)));
}

#[test]
fn a_transparent_margin_is_light() {
    let code = picture(&code(3), 6);
    let picture =
        image::GrayAlphaImage::from_fn(code.width(), code.height(), |x, y| LumaA([0, 255 - code.get_pixel(x, y).0[0]]));
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, ImageFormat::Png).unwrap();
    assert_eq!(file(bytes.get_ref()), Ok(text(3)));
}

#[test]
fn a_terminal_of_either_theme_shows_the_same_readable_code() {
    for style in STYLES {
        for theme in THEMES {
            let picture = terminal(&code(4).render_terminal(style, true), theme);
            assert_eq!(decode(&picture), Some(text(4)), "{style:?} {theme:?}");
            assert_eq!(file(&png(&picture)), Ok(text(4)), "{style:?} {theme:?}");
        }
    }
}

#[test]
fn the_code_in_a_terminal_does_not_depend_on_the_theme() {
    for style in STYLES {
        let rows = code(4).render_terminal(style, true);
        let inside = |theme| {
            let picture = terminal(&rows, theme);
            let (w, h) = (picture.width(), picture.height());
            image::imageops::crop_imm(&picture, 18, 36, w - 36, h - 72).to_image()
        };
        assert_eq!(inside(DARK), inside(LIGHT), "{style:?}");
        // The control: without colours it does.
        let rows = code(4).render_terminal(style, false);
        assert_ne!(terminal(&rows, DARK), terminal(&rows, LIGHT));
    }
}

#[test]
fn a_code_without_colours_reads_on_a_light_theme_and_by_inversion_on_a_dark_one() {
    for style in STYLES {
        for theme in THEMES {
            let picture = terminal(&code(5).render_terminal(style, false), theme);
            assert_eq!(decode(&picture), Some(text(5)), "{style:?} {theme:?}");
        }
    }
}

#[test]
fn a_screenshot_of_a_whole_dark_desktop_is_read() {
    let mut screen = GrayImage::from_fn(2560, 1440, |x, y| Luma([20 + (x / 64 + y / 48) as u8 % 30]));
    place(&mut screen, &terminal(&code(6).render_terminal(TerminalStyle::HalfBlocks, true), DARK), 1311, 401);
    assert_eq!(decode(&screen), Some(text(6)));
    assert_eq!(file(&png(&screen)), Ok(text(6)));
}

#[test]
fn a_turned_code_is_read() {
    let upright = picture(&code(7), 7);
    for degrees in [0.0, 7.0, 17.0, 30.0, 45.0, 90.0, 135.0, 180.0, 200.0, 270.0, 333.0] {
        assert_eq!(decode(&turned(&upright, degrees)), Some(text(7)), "{degrees}");
    }
}

#[test]
fn an_inverted_code_is_read() {
    for degrees in [0.0, 20.0, 90.0] {
        let picture = inverted(&turned(&picture(&code(8), 7), degrees));
        assert_eq!(decode(&picture), Some(text(8)), "{degrees}");
    }
}

#[test]
fn a_dim_noisy_code_is_read() {
    let mut state = 1_u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) % 40
    };
    let mut picture = picture(&code(9), 6);
    picture.pixels_mut().for_each(|p| p.0[0] = (70 + u32::from(p.0[0]) / 8 + noise() / 2) as u8);
    assert_eq!(decode(&picture), Some(text(9)));
}

#[test]
fn among_several_codes_a_pairpin_link_wins() {
    let wifi = qrcode::QrCode::new(b"WIFI:S:home;T:WPA;P:hunter2;;").unwrap();
    let colors = wifi.to_colors();
    let mut picture_of_both = GrayImage::from_pixel(1200, 600, Luma([255]));
    for y in 0..wifi.width() {
        for x in 0..wifi.width() {
            let grey = if colors[y * wifi.width() + x] == qrcode::Color::Dark { 0 } else { 255 };
            let module = GrayImage::from_pixel(10, 10, Luma([grey]));
            place(&mut picture_of_both, &module, 100 + 10 * x as u32, 100 + 10 * y as u32);
        }
    }
    assert_eq!(decode(&picture_of_both).as_deref(), Some("WIFI:S:home;T:WPA;P:hunter2;;"));
    place(&mut picture_of_both, &picture(&code(10), 8), 700, 100);
    assert_eq!(decode(&picture_of_both), Some(text(10)));
}

#[test]
fn a_camera_row_may_be_longer_than_its_pixels() {
    let picture = picture(&code(11), 5);
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let mut bytes = vec![77; (width + 13) * height];
    for (row, pixels) in bytes.chunks_mut(width + 13).zip(picture.chunks(width)) {
        row[..width].copy_from_slice(pixels);
    }
    let frame = LumaFrame { width, height, stride: width + 13, bytes: &bytes };
    assert_eq!(decode_luma(&frame).as_deref(), Some(&text(11)));
}

#[test]
fn an_svg_is_one_element_with_every_module_in_it() {
    let svg = code(12).render_svg();
    assert!(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" ") && svg.ends_with("</svg>\n"));
    assert_eq!((svg.matches('<').count(), svg.matches('>').count()), (4, 4));
    assert_eq!(svg.matches('"').count() % 2, 0);
    assert!(svg.is_ascii() && !svg.contains("pairpin"));
    let runs =
        svg.split('h').skip(1).filter_map(|part| part.split_once("v1").and_then(|(n, _)| n.parse::<usize>().ok()));
    assert_eq!(runs.sum::<usize>(), code(12).modules().iter().filter(|dark| **dark).count());
}

#[test]
fn each_file_that_is_no_readable_image_says_why() {
    let whole = code(1).render_png(8);
    assert_eq!(file(b""), Err(QrError::NotAnImage));
    assert_eq!(file(b"pairpin:AAAA"), Err(QrError::NotAnImage));
    assert_eq!(file(b"GIF89a\x01\x00\x01\x00\x00\x00\x00;"), Err(QrError::NotAnImage));
    assert_eq!(file(&whole[..whole.len() / 2]), Err(QrError::DamagedImage));
    assert_eq!(file(&whole[..20]), Err(QrError::DamagedImage));
    assert_eq!(file(&png(&GrayImage::from_pixel(300, 300, Luma([200])))), Err(QrError::NoQr));
    assert_eq!(file(&png(&GrayImage::from_pixel(1, 1, Luma([200])))), Err(QrError::NoQr));
}

#[test]
fn an_image_that_unpacks_to_too_much_is_refused_before_it_is_unpacked() {
    // A PNG's size is in bytes 16 to 24; the checksum of that chunk follows.
    let claim = |width: u32, height: u32| {
        let mut bytes = code(1).render_png(8);
        bytes[16..20].copy_from_slice(&width.to_be_bytes());
        bytes[20..24].copy_from_slice(&height.to_be_bytes());
        let check = crc32(&bytes[12..29]);
        bytes[29..33].copy_from_slice(&check.to_be_bytes());
        bytes
    };
    assert_eq!(file(&claim(328, 328)), Ok(text(1)));
    assert_eq!(file(&claim(60_000, 60_000)), Err(QrError::ImageTooLarge));
    assert_eq!(file(&claim(20_000, 4)), Err(QrError::ImageTooLarge));
    assert_eq!(file(&claim(4_000, 4_000)), Err(QrError::DamagedImage));
    let mut padded = code(1).render_png(8);
    padded.resize(21 * 1024 * 1024, 0);
    assert_eq!(file(&padded), Err(QrError::ImageTooLarge));
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc: u32, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| crc >> 1 ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 })
    })
}

/// Finder patterns everywhere, in `module` pixels a module.
fn full_of_finders(width: u32, height: u32, module: u32) -> GrayImage {
    GrayImage::from_fn(width, height, |x, y| {
        let (x, y) = (x / module % 8, y / module % 8);
        let ring = |i: u32| i == 0 || i == 6;
        let dark = x < 7 && y < 7 && (ring(x) || ring(y) || ((2..5).contains(&x) && (2..5).contains(&y)));
        Luma([if dark { 0 } else { 255 }])
    })
}

#[test]
fn a_frame_full_of_finder_patterns_ends_and_is_no_code() {
    for module in [1, 2, 3, 5, 11] {
        let frame = full_of_finders(1280, 720, module);
        let start = Instant::now();
        assert_eq!(decode(&frame), None);
        println!("{module} pixels a module: {:?}", start.elapsed());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_frame_panics(
        width in 0usize..150, height in 0usize..150, extra in 0usize..5,
        bytes in proptest::collection::vec(any::<u8>(), 0..20_000), two_greys: bool,
    ) {
        let bytes: Vec<u8> = bytes.iter().map(|b| if two_greys { b / 128 * 255 } else { *b }).collect();
        let _ = decode_luma(&LumaFrame { width, height, stride: width + extra, bytes: &bytes });
    }

    #[test]
    fn no_file_panics(start in 0usize..4, bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        let start: &[u8] = match start {
            0 => b"",
            1 => b"\x89PNG\r\n\x1a\n",
            2 => b"\xFF\xD8\xFF\xE0",
            _ => b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        };
        let _ = file(&[start, &bytes].concat());
    }

    #[test]
    fn no_damaged_image_panics(
        jpeg: bool, cut: prop::sample::Index,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
    ) {
        let picture = picture(&code(1), 3);
        let mut bytes = encoded(&picture, if jpeg { ImageFormat::Jpeg } else { ImageFormat::Png });
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(bytes.len() - cut.index(bytes.len()) / 4);
        let _ = file(&bytes);
    }

    #[test]
    fn every_code_is_read_back_and_flipped_modules_never_make_another_link(
        seed: u8, flips in proptest::collection::vec((4u32..37, 4u32..37), 0..60),
    ) {
        let mut modules = picture(&code(seed), 1);
        for (x, y) in &flips {
            modules.get_pixel_mut(*x, *y).0[0] ^= 0xFF;
        }
        let picture = image::imageops::resize(&modules, 41 * 5, 41 * 5, image::imageops::FilterType::Nearest);
        match decode(&picture) {
            Some(read) => if let Ok(read) = Link::parse(&read) { prop_assert_eq!(read, link(seed)) },
            None => prop_assert!(!flips.is_empty()),
        }
    }
}
