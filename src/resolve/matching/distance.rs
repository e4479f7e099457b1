//! How far two texts are apart, how a name sounds, and what it is short for.

use std::sync::LazyLock;

use rapidfuzz::distance::{jaro_winkler, osa};

/// Jaro–Winkler similarity, 0 to 1 (Winkler 1990, prefix weight 0.1 up to 4 characters).
pub(super) fn jaro_winkler(a: &str, b: &str) -> f64 {
    if a.is_ascii() && b.is_ascii() {
        jaro_winkler::normalized_similarity(a.bytes(), b.bytes())
    } else {
        jaro_winkler::normalized_similarity(a.chars(), b.chars())
    }
}

/// Insertions, deletions, substitutions and swaps of neighbours, up to `most`; more is `most + 1`.
pub(super) fn edits(a: &str, b: &str, most: u32) -> u32 {
    let args = osa::Args::default().score_cutoff(most as usize);
    let found = if a.is_ascii() && b.is_ascii() {
        osa::distance_with_args(a.bytes(), b.bytes(), &args)
    } else {
        osa::distance_with_args(a.chars(), b.chars(), &args)
    };
    found.and_then(|edits| u32::try_from(edits).ok()).unwrap_or(most + 1)
}

/// How a name sounds: Kölner Phonetik (Postel 1969), after patronymic endings were made one
/// (`-sen`, `-son`, `-sson`, `-sohn`; `-datter`, `-dotter`, `-dottir`).
///
/// `name` is in lower case without accents, as [`super::column::letters`] writes it.
pub(super) fn cologne(name: &str) -> String {
    let stem = patronymic(name);
    let letters: Vec<u8> = stem.bytes().filter(u8::is_ascii_alphabetic).collect();
    let at = |i: usize| letters.get(i).copied().unwrap_or(b' ');
    let mut code = String::new();
    let mut last = ' ';
    for (i, letter) in letters.iter().enumerate() {
        let before = if i == 0 { b' ' } else { at(i - 1) };
        for digit in sound(*letter, before, at(i + 1), i == 0).chars() {
            if digit != last && (digit != '0' || code.is_empty()) {
                code.push(digit);
            }
            last = digit;
        }
    }
    if code.is_empty() { stem } else { code }
}

fn sound(letter: u8, before: u8, after: u8, is_first: bool) -> &'static str {
    match letter {
        b'a' | b'e' | b'i' | b'j' | b'o' | b'u' | b'y' => "0",
        b'h' => "",
        b'b' => "1",
        b'p' if after == b'h' => "3",
        b'p' => "1",
        b'd' | b't' if b"csz".contains(&after) => "8",
        b'd' | b't' => "2",
        b'f' | b'v' | b'w' => "3",
        b'g' | b'k' | b'q' => "4",
        b'c' if is_first && b"ahkloqrux".contains(&after) => "4",
        b'c' if is_first => "8",
        b'c' if b"sz".contains(&before) || !b"ahkoqux".contains(&after) => "8",
        b'c' => "4",
        b'x' if b"ckq".contains(&before) => "8",
        b'x' => "48",
        b'l' => "5",
        b'm' | b'n' => "6",
        b'r' => "7",
        b's' | b'z' => "8",
        _ => "",
    }
}

fn patronymic(name: &str) -> String {
    const SONS: [&str; 6] = ["ssohn", "sohn", "sson", "ssen", "son", "sen"];
    const DAUGHTERS: [&str; 5] = ["sdatter", "sdotter", "sdottir", "datter", "dottir"];
    let cut = |endings: &[&str], one: &str| {
        let stem = endings.iter().find_map(|ending| name.strip_suffix(ending))?;
        (stem.len() >= 3).then(|| format!("{stem}{one}"))
    };
    let found = cut(&SONS, "sen").or_else(|| cut(&DAUGHTERS, "sdatter"));
    found.unwrap_or_else(|| name.to_owned())
}

/// First names that one person goes by; a name stands in one line only.
const NICKNAMES: &str = "\
robert bob rob bobby robbie bert
william bill will billy willy liam willie
richard rick dick rich ricky richie
james jim jimmy jamie jem
john jack johnny jon
thomas tom tommy thom
michael mike mick mikey mickey mikkel
david dave davey davy
daniel dan danny
joseph joe joey sepp josef
charles charlie chuck charly karl carl
edward ed eddie ted teddy ned eduard
andrew andy drew anders andreas
anthony tony anton ant
benjamin ben benny benji
christopher chris christoph kit kristoffer christoffer
matthew matt matty mathias matthias
nicholas nick nicky niklas nicolas klaus niels nicolai nikolaj
alexander alex sandy aleksander sasha xander
samuel sam sammy
stephen steve steven stevie stefan steffen
peter pete peder petra
patrick pat paddy
gregory greg gregor
frederick fred freddy freddie frederik friedrich fritz fredrik
henry harry hank henrik heinrich
lawrence larry laurence lars laurits
leonard leo lenny len
raymond ray
ronald ron ronnie
donald don donnie
kenneth ken kenny
timothy tim timmy
philip phil phillip philipp
jonathan jonny jonathon nathan
zachary zach zack zac
joshua josh
jacob jake jakob
nathaniel nate nat
gerald gerry jerry gerard
francis frank frankie franz
walter walt wally
elizabeth liz lizzie beth betty eliza elisabeth lisbeth lise libby bess
margaret maggie meg peggy margarethe margrethe grete greta marge
katherine kate kathy katie catherine kathryn cathy katrine kathrine katharina kitty kat
jennifer jen jenny jenn
jessica jess jessie
rebecca becky becca
susan sue susie suzanne susanne susanna
patricia trish patty tricia
victoria vicky tori vic vicki viktoria
barbara barb babs
deborah deb debbie debra
alexandra alexa lexi
samantha samie
christine tina chrissy christina kirsten kristine kirstine
amanda mandy
abigail abby gail
dorothy dot dottie dorothea
eleanor ellie nora ella nell
isabella bella izzy isabelle isabel
jacqueline jackie
josephine josie jo
kimberly kim kimmie
madeline maddie madeleine
nancy nan
olivia liv livvy
pamela pam
sarah sally sara sadie
stephanie steph steffi
teresa terry tess theresa therese
valerie val
virginia ginny
hans johannes johann jens hannes
georg george joergen juergen
johanna hanna hannah
";

/// First names with the number of their line, by name.
static LINES: LazyLock<Vec<(&str, u16)>> = LazyLock::new(|| {
    let of = |(line, at): (&'static str, u16)| line.split(' ').map(move |name| (name, at));
    let mut names: Vec<(&str, u16)> = NICKNAMES.lines().zip(1_u16..).flat_map(of).collect();
    names.sort_unstable();
    names
});

/// The line of the first names that this is one of; 0 for none.
pub(super) fn nickname(name: &str) -> u16 {
    let found = LINES.binary_search_by(|(known, _)| (*known).cmp(name)).ok();
    found.and_then(|at| LINES.get(at)).map_or(0, |(_, line)| *line)
}
