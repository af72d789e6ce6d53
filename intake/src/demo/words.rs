//! Names and sentences of people who do not exist.

/// Given names.
pub(super) const GIVEN_NAMES: [&str; 64] = [
    "Aaliyah", "Adam", "Aiko", "Amara", "Ana", "Andre", "Anika", "Arjun", "Beatriz", "Ben", "Camila",
    "Carlos", "Chen", "Chloe", "Dana", "Daniel", "Devi", "Diego", "Elena", "Eli", "Emeka", "Emma", "Farah",
    "Felix", "Grace", "Hana", "Hugo", "Imani", "Ines", "Isaac", "Jamal", "Jana", "Jonas", "Kai", "Kavya",
    "Kenji", "Laila", "Leo", "Lin", "Lucia", "Malik", "Maria", "Mateo", "Maya", "Mei", "Nadia", "Noah",
    "Nora", "Omar", "Priya", "Rania", "Ravi", "Rosa", "Ruth", "Samir", "Sofia", "Tariq", "Teresa", "Thabo",
    "Uma", "Victor", "Wanjiru", "Yara", "Zoe",
];

/// Family names.
pub(super) const FAMILY_NAMES: [&str; 64] = [
    "Abara",
    "Achterberg",
    "Adeyemi",
    "Almeida",
    "Amundsen",
    "Anand",
    "Arslan",
    "Baptiste",
    "Barros",
    "Belov",
    "Berglund",
    "Bhatt",
    "Castellano",
    "Chaudhry",
    "Costa",
    "Dang",
    "Delacroix",
    "Demir",
    "Dlamini",
    "Duarte",
    "Eriksen",
    "Falk",
    "Ferreira",
    "Fujimoto",
    "Galvez",
    "Grant",
    "Haddad",
    "Halloran",
    "Hsu",
    "Ibarra",
    "Iyer",
    "Jansen",
    "Kamau",
    "Kaplan",
    "Kimura",
    "Kowal",
    "Larsen",
    "Lindqvist",
    "Macleod",
    "Mbeki",
    "Mendes",
    "Moreau",
    "Nakamura",
    "Navarro",
    "Ndiaye",
    "Novak",
    "Oduya",
    "Okafor",
    "Ortega",
    "Pereira",
    "Petrov",
    "Quispe",
    "Rahman",
    "Rasmussen",
    "Romero",
    "Sandhu",
    "Sato",
    "Silva",
    "Sorensen",
    "Tanaka",
    "Tran",
    "Vargas",
    "Weller",
    "Zamora",
];

/// What organizations are called, before [`ORGANIZATION_SORTS`].
pub(super) const ORGANIZATION_NAMES: [&str; 24] = [
    "Alder",
    "Blue Heron",
    "Cedar Point",
    "Clearwater",
    "Copperfield",
    "Eastgate",
    "Fernhill",
    "Granite",
    "Harbor",
    "Juniper",
    "Kestrel",
    "Lakeside",
    "Lantern",
    "Maplewood",
    "Meridian",
    "Northfield",
    "Orchard",
    "Pinecrest",
    "Quarry",
    "Riverbend",
    "Silverbrook",
    "Stonebridge",
    "Tidewater",
    "Westlake",
];

/// What organizations are, each with its sector.
pub(super) const ORGANIZATION_SORTS: [(&str, &str); 6] = [
    ("Foundation", "Philanthropy"),
    ("Labs", "Technology"),
    ("Community Bank", "Finance"),
    ("Health Partners", "Health"),
    ("Engineering", "Manufacturing"),
    ("Books", "Retail"),
];

/// What students study, as tags.
pub(super) const MAJORS: [&str; 10] = [
    "biology",
    "business",
    "computer science",
    "economics",
    "education",
    "engineering",
    "history",
    "nursing",
    "psychology",
    "sociology",
];

/// What else may be said of students in a word.
pub(super) const STUDENT_TAGS: [&str; 6] =
    ["first generation", "international", "transfer", "commuter", "athlete", "work study"];

/// What people do for a living.
pub(super) const JOB_TITLES: [&str; 8] = [
    "Analyst",
    "Teacher",
    "Nurse",
    "Engineer",
    "Director",
    "Research associate",
    "Attorney",
    "Project manager",
];

/// What people ask first.
pub(super) const QUESTIONS: [&str; 12] = [
    "Is there still room in the workshop next week?",
    "I could not find the sign-up page for the retreat.",
    "Whom do I ask about the emergency grant?",
    "My mentor and I have not managed to meet yet. Can you help?",
    "Could somebody look over my application before Friday?",
    "I would like to volunteer again this semester.",
    "The code at the door did not scan; was I counted?",
    "Can I bring a friend to the dinner?",
    "I had to leave early because of an exam. Sorry about that!",
    "How do I change the address that you write to?",
    "Are the slides of yesterday's session available?",
    "Thank you for the evening, it was good to meet everybody.",
];

/// What staff write first.
pub(super) const INVITATIONS: [&str; 5] = [
    "We have missed you lately. Is everything all right?",
    "A place has opened in the mentoring program. Would you like it?",
    "Would you tell new students about your year with us?",
    "Your application is almost complete; one form is missing.",
    "Thank you for helping on Saturday. We could not have done it without you.",
];

/// What staff answer.
pub(super) const ANSWERS: [&str; 8] = [
    "Yes, I have put you on the list.",
    "I have forwarded this to the colleague who knows.",
    "Let us talk about it on Tuesday; does two o'clock suit you?",
    "That is done now. Please write again if anything is missing.",
    "Of course. Just tell us how many you are.",
    "I am sorry about that. We have corrected it.",
    "You will find it on the program's page, at the bottom.",
    "Good to hear from you! I will call this afternoon.",
];

/// What people say then.
pub(super) const THANKS: [&str; 6] = [
    "Great, thank you!",
    "That helps, thanks a lot.",
    "Perfect, see you then.",
    "One more question: is it in the same room?",
    "Thanks. I have sent the form back.",
    "It still does not work for me, unfortunately.",
];

/// What staff tell each other.
pub(super) const NOTES: [&str; 4] = [
    "Called twice, left a message.",
    "Seems to be under pressure at home; be patient with deadlines.",
    "Knows this person well and can put in a word.",
    "Would make a good speaker.",
];

/// What leads are interested in.
pub(super) const INTERESTS: [&str; 8] = [
    "Wants to sponsor a cohort of mentors",
    "Asks about naming a scholarship",
    "Could take interns next summer",
    "Thinks of hosting the spring retreat",
    "Would like to match the gifts of employees",
    "Interested in a workshop for the whole team",
    "May remember the organisation in a will",
    "Wants to buy a table at the gala",
];
