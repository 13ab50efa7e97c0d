// Every kind of mistake: where it is, how bad, what is said and what is suggested.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <fstream>
#include <vector>

#include "support/temp_directory.hpp"
#include "unit/config/loading.hpp"

namespace causeway::config {
namespace {

using ::testing::HasSubstr;

struct Mistake {
    std::string toml;
    std::uint32_t line;
    std::uint32_t column;
    std::string text;        // part of it
    std::string suggestion;  // part of it
};

// Each has exactly one problem, of this severity.
void expect(const std::vector<Mistake>& mistakes, Problem::Severity severity) {
    for (const Mistake& mistake : mistakes) {
        SCOPED_TRACE(mistake.toml);
        const Loaded loaded = load_toml(mistake.toml);
        ASSERT_EQ(loaded.problems.size(), 1U) << all_problems(loaded);
        const Problem& problem = loaded.problems.front();
        EXPECT_EQ(problem.severity, severity) << problem.text;
        EXPECT_EQ(text_of(problem.where),
                  "f.toml:" + std::to_string(mistake.line) + ":" + std::to_string(mistake.column));
        EXPECT_THAT(problem.text, HasSubstr(mistake.text));
        EXPECT_THAT(problem.suggestion, HasSubstr(mistake.suggestion));
        EXPECT_EQ(loaded.ok(), severity == Problem::Severity::warning);
    }
}

void expect_errors(const std::vector<Mistake>& mistakes) {
    expect(mistakes, Problem::Severity::error);
}
void expect_warnings(const std::vector<Mistake>& mistakes) {
    expect(mistakes, Problem::Severity::warning);
}

TEST(ConfigMistakes, Syntax) {
    expect_errors({
        {"[adapter]\nlog_level = info\n", 2, 16, "no TOML", "log_level = \"info\""},
        {"[quota]\nmax_bytes = 512M", 2, 16, "no TOML", "max_bytes = \"512M\""},
        {"[adapter]\ncopies = \"/etc", 2, 15, "no TOML", "end the text with \""},
        {"[adapter]\nmover_cores = [1, 2\n", 2, 20, "no TOML", "end the array with ]"},
        {"[adapter\nmovers = 1", 1, 9, "no TOML", "end the line with ]"},
        {"[[allow]\nfrom = 1", 1, 9, "no TOML", "end the line with ]]"},
        {"[adapter]\nmovers = 1\nmovers = 2", 3, 1, "redefine", "put both into one place"},
        {"[adapter]\n[quota]\n[adapter]", 3, 1, "redefine", "put both into one place"},
        {"[adapter]\nmovers: 2", 2, 7, "no TOML", "write = instead of the colon: movers = "},
        {"[adapter]\nmovers =\n", 2, 9, "no TOML", "write a value behind movers ="},
        {"[adapter]\n= 2", 2, 1, "no TOML", "write a key in front of ="},
        {"[adapter]\nmovers", 2, 7, "no TOML", "KEY = VALUE"},
        {"[partition.net]\n[unit.net/lan0]\ntype = 1", 2, 10, "no TOML", "[unit.\"net/lan0\"]"},
        {"[unit.\"a/b\"]\ntype = \"block\"\n[unit.\"a/b\"]", 3, 1, "redefine", "into one place"},
        {"x = \"\xff\"", 1, 5, "utf-8", "save the file as UTF-8"},
    });
}

TEST(ConfigMistakes, AKeyThatWouldNestTooDeepIsRefused) {
    std::string key = "a";
    for (int i = 0; i < 100000; ++i)
        key += ".a";
    expect_errors({{key + " = 1", 1, 66, "more than 32 dots", ""}});
}

TEST(ConfigMistakes, UnknownKeysAndTables) {
    expect_errors({
        {"[quota]\nmax_byte = 1", 2, 1, "no key \"max_byte\" in [quota]", "'max_bytes'?"},
        {"[adapter]\nxyzzyxyzzy = 1", 2, 1, "\"xyzzyxyzzy\" in [adapter]", "take runtime_dir, "},
        {"[partition.a]\nwieght = 1", 2, 1, "in [partition.a]", "'weight'?"},
        {"[partition.a]\nquota = {max_regoins = 1}", 2, 10, "in [partition.a.quota]",
         "'max_regions'?"},
        {"[partition.a.quota]\n  max_regoins = 1", 2, 3, "in [partition.a.quota]",
         "'max_regions'?"},
        {"[segment.s]\nsize = 4096\nreader = \"a\"\nwriters = \"*\"\n[partition.a]", 3, 1,
         "in [segment.s]", "'readers'?"},
        {"[partition.a]\n[unit.\"a/b\"]\ntype = \"block\"\nname = \"b\"", 4, 1, "in [unit.\"a/b\"]",
         "type"},
        {"[[controllers]]", 1, 3, "no table \"controllers\"", "'unit'?"},
        {"[partitions.a]", 1, 2, "no table \"partitions\"", "'partition'?"},
        {"[[rules]]", 1, 3, "no table \"rules\"", "'allow'?"},
        {"movers = 2", 1, 1, "no key \"movers\" outside", "below [adapter]"},
        {"max_bytes = 2", 1, 1, "no key \"max_bytes\" outside", "below [quota]"},
    });
}

TEST(ConfigMistakes, WrongTypes) {
    expect_errors({
        {"[adapter]\nmovers = \"4\"", 2, 10, "\"4\", a string", "movers = 4"},
        {"[adapter]\nmovers = 1.5", 2, 10, "1.5, a number with a fraction", ""},
        {"[adapter]\nlog_json = \"yes\"", 2, 12, "true or false", "log_json = true"},
        {"[adapter]\nopen_entrance = 0", 2, 17, "true or false", "open_entrance = false"},
        {"[adapter]\ncopies = 3", 2, 10, "3, a whole number", "copies = \"3\""},
        {"[adapter]\nresume_patience = \"10\"", 2, 19, "seconds", "resume_patience = 10"},
        {"[adapter]\nmover_cores = 0", 2, 15, "core numbers", "mover_cores = [0]"},
        {"[adapter]\nlog_level = 1979-05-27", 2, 13, "a date or time", ""},
        {"[quota]\nmax_bytes = true", 2, 13, "true, a truth value", ""},
        {"quota = 3", 1, 9, "a table", "[quota]"},
        {"adapter = [1]", 1, 11, "an array", "[adapter]"},
        {"partition = 1", 1, 13, "a table", "[partition.orders]"},
        {"[partition]\na = 1", 2, 5, "a table", "[partition.a]"},
        {"unit = 1", 1, 8, "a table", "[unit.\"net/lan0\"]"},
        {"[[unit]]\ntype = \"block\"", 1, 1, "an array", "[unit.\"net/lan0\"]"},
        {"[unit]\n\"a/b\" = \"block\"", 2, 9, "a table", "[unit.\"a/b\"]"},
        {"[partition.a]\n[unit.\"a/b\"]\ntype = 2", 3, 8,
         "one of network, block, security or other", ""},
        {"[allow]\nfrom = \"a\"", 1, 2, "one table", "[[allow]]"},
        {"allow = 1", 1, 9, "array of tables", "[[allow]]"},
        {"allow = [1]", 1, 10, "a table", "[[allow]]"},
        {"[partition.a]\nuid = true", 2, 7, "name of a user", ""},
    });
}

TEST(ConfigMistakes, Ranges) {
    expect_errors({
        {"[adapter]\nmovers = 65", 2, 10, "65, outside of 0 to 64", "movers = 64"},
        {"[adapter]\nmovers = -1", 2, 10, "-1, outside", "movers = 0"},
        {"[adapter]\nresume_patience = 86401", 2, 19, "outside of 0 to 86400", "= 86400"},
        {"[adapter]\nresume_patience = nan", 2, 19, "outside of 0 to 86400", "= 0"},
        {"[adapter]\nmover_cores = \"3-1\"", 2, 15, "no list of cores", "\"0-3,5\""},
        {"[adapter]\nmover_cores = [0, 5000]", 2, 19, "5000, outside", ""},
        {"[adapter]\nlog_level = \"warn\"", 2, 13, "none of trace, debug", "'warning'?"},
        {"[adapter]\nmetrics = \"9464\"", 2, 11, "no ADDRESS:PORT", "127.0.0.1:9464"},
        {"[adapter]\nmetrics = \"127.0.0.1:65536\"", 2, 11, "no ADDRESS:PORT", "127.0.0.1"},
        {"[adapter]\naudit_log = \"audit\"", 2, 13, "no whole path", "\"/audit\""},
        {"[quota]\nmax_bytes = \"1X\"", 2, 13, "which is no size", "\"512M\""},
        {"[quota]\nmax_bytes = 100", 2, 13, "outside of 4K to 1024T", "max_bytes = \"4K\""},
        {"[quota]\nmax_bytes = -5", 2, 13, "-5, below zero", "max_bytes = "},
        {"[quota]\nmax_regions = 4097", 2, 15, "outside of 1 to 4096", "max_regions = 4096"},
        {"[quota]\nmax_queue_pairs = 0", 2, 19, "outside of 1 to 4096", "max_queue_pairs = 1"},
        {"[partition.a]\nweight = 10001", 2, 10, "outside of 1 to 10000", "weight = 10000"},
        {"[partition.a]\nuid = -1", 2, 7, "outside of 0 to 4294967294", "user"},
        {"[segment.s]\nsize = 5000\nwriters = \"a\"\n[partition.a]", 2, 8, "not a multiple of 4096",
         "size = \"8K\""},
    });
}

TEST(ConfigMistakes, UsersAndGroups) {
    expect_errors({
        {"[partition.a]\nuid = \"no-such-user-here\"", 2, 7, "no such user", "getent passwd"},
        {"[partition.a]\ngid = \"no-such-group-here\"", 2, 7, "no such group", "getent group"},
        {"[partition.a]\nuid = \"1000000\"", 2, 7, "no such user", "write uid = 1000000"},
        {"[partition.a]\nuid = 65534", 2, 7, "never matches", "user of its own"},
        {"[partition.a]\ngid = 65534", 2, 7, "never matches", "group of its own"},
    });
    const Config config = good("[partition.a]\nuid = \"root\"\ngid = \"root\"\n");
    EXPECT_EQ(config.partitions.at("a").uid, uid_t{0});
    EXPECT_EQ(config.partitions.at("a").gid, gid_t{0});
}

TEST(ConfigMistakes, Names) {
    expect_errors({
        {"[partition.\"b c\"]", 1, 12, "byte 0x20", ""},
        {"[partition.open]", 1, 12, "taken by the adapter", "open-1"},
        {"[partition.\"fabric.sock\"]", 1, 12, "taken by the adapter", "fabric.sock-1"},
        {"[partition.journal]", 1, 12, "taken by the adapter", "journal-1"},
        {"[segment.\"\"]\nsize = 4096", 1, 10, "is empty", ""},
    });
}

TEST(ConfigMistakes, MissingKeys) {
    const std::string head = "[partition.a]\n";
    expect_errors({
        {head + "[segment.s]\nwriters = \"a\"", 2, 10, "lacks its size", "size = \"1M\""},
        {head + "[[allow]]\nto = \"a\"\noperations = \"all\"", 2, 1, "lacks 'from'", "from = "},
        {head + "[[allow]]\nfrom = \"a\"\noperations = \"all\"", 2, 1, "lacks 'to'", "to = "},
        {head + "[[allow]]\nfrom = \"a\"\nto = \"a\"", 2, 1, "lacks 'operations'",
         "operations = [\"connect\""},
    });
}

TEST(ConfigMistakes, Rules) {
    const std::string pair = "[partition.a]\n[[allow]]\nfrom = \"a\"\nto = \"a\"\n";
    expect_errors({
        {pair + "operations = []", 5, 14, "is empty", "at least one"},
        {pair + "operations = [\"send\", \"conect\"]", 5, 23, "\"conect\"", "'connect'?"},
        {pair + "operations = \"send\"\nexecutor = \"magic\"", 6, 12, "none of adapter and direct",
         ""},
        {pair + "operations = \"send\"\nexecutor = \"direct\"", 6, 12,
         "map each other's memory and nobody can hold either",
         "mutual = true and operations = \"all\""},
        {pair + "operations = \"all\"\nexecutor = \"direct\"", 6, 12, "map each other's memory",
         "add mutual = true, or"},
        {pair + "operations = \"send\"\nmutual = true\nexecutor = \"direct\"", 7, 12,
         "map each other's memory", "add operations = \"all\", or"},
        {pair + "operations = \"send\"\nname = \"no rule\"", 6, 8, "no rule's name", "63"},
        {pair + "operations = \"send\"\nname = \"x\"\n[[allow]]\nfrom = \"a\"\nto = \"a\"\n"
                "operations = \"read\"\nname = \"x\"",
         11, 8, "has the name of the one at f.toml:2:1", "another name"},
        {pair + "operations = \"send\"\nname = \"allow 2\"\n[[allow]]\nfrom = \"a\"\n"
                "to = \"a\"\noperations = \"read\"",
         7, 1, "'allow 2' has the name of the one at f.toml:2:1", "another name"},
        {"[partition.a]\n[[allow]]\nfrom = \"a b\"\nto = \"a\"\noperations = \"all\"", 3, 8,
         "neither a name nor a pattern", "A-Z"},
        {"[partition.orders]\n[[allow]]\nfrom = \"orders\"\nto = [\"orders\", \"ordres\"]\n"
         "operations = \"all\"",
         4, 17, "'ordres', which is not declared",
         "did you mean 'orders'? Else declare it: "
         "[partition.ordres]"},
        {"[partition.a]\n[segment.s]\nsize = 4096\nwriters = \"nobody\"", 4, 11,
         "'nobody', which is not declared", "[partition.nobody]"},
    });
}

TEST(ConfigMistakes, Units) {
    const std::string head = "[partition.net]\n";
    expect_errors({
        {head + "[unit.lan0]\ntype = \"network\"", 2, 7, "\"lan0\" does not say whose it is",
         "[unit.\"PARTITION/lan0\"]"},
        {head + "[unit.net.lan0]\ntype = \"network\"", 2, 7, "\"net\" does not say whose it is",
         "[unit.\"net/lan0\"]"},
        {head + "[unit.\"net/\"]\ntype = \"network\"", 2, 7, "unit name \"\" is empty", ""},
        {head + "[unit.\"/lan0\"]\ntype = \"network\"", 2, 7, "partition name \"\" is empty", ""},
        {head + "[unit.\"net/lan*\"]\ntype = \"network\"", 2, 7, "byte 0x2a", ""},
        {head + "[unit.\"net/lan/0\"]\ntype = \"network\"", 2, 7, "byte 0x2f", ""},
        {head + "[unit.\"net/lan0\"]", 2, 7, "lacks its type", "type = \"network\", \"block\""},
        {head + "[unit.\"net/lan0\"]\ntype = \"netwrok\"", 3, 8,
         "none of network, block, security and other", "'network'?"},
        {head + "[unit.\"ned/lan0\"]\ntype = \"network\"", 2, 7,
         "unit.\"ned/lan0\" names partition 'ned', which is not declared",
         "did you mean 'net'? Else declare it: [partition.ned]"},
    });
    expect_warnings(
        {{"[adapter]\nopen_entrance = true\n[unit.\"net/lan0\"]\ntype = \"other\"", 3, 7,
          "'net', which is not declared; whoever comes in by the open entrance", "declare it"}});
}

TEST(ConfigMistakes, Warnings) {
    const std::string pair = "[partition.a]\n[[allow]]\nfrom = \"a\"\nto = \"a\"\n";
    expect_warnings({
        {"[adapter]\nopen_entrance = true\n[[allow]]\nfrom = \"b\"\nto = \"*\"\n"
         "operations = \"all\"",
         4, 8, "'b', which is not declared; whoever comes in by the open entrance", "declare it"},
        {"[partition.a]\n[[allow]]\nfrom = \"b*\"\nto = \"a\"\noperations = \"all\"", 3, 8,
         "'b*', which no declared partition matches", "there are a"},
        {pair + "operations = \"send\"\nservices = \"s\"", 6, 12, "no effect", "\"connect\""},
        {"[partition.a]\n[segment.s]\nsize = 4096", 2, 10, "nobody may open it", "writers"},
        {pair + "operations = \"all\"\n[[allow]]\nfrom = \"*\"\nto = \"*\"\noperations = \"all\"",
         2, 1, "'allow 1' changes nothing: rule 'allow 2' at f.toml:6:1", "take one"},
        {pair + "operations = \"send\"\n[[allow]]\nfrom = \"a\"\nto = \"a\"\noperations = \"send\"",
         6, 1, "'allow 2' changes nothing: rule 'allow 1' at f.toml:2:1", "take one"},
        {"[adapter]\nmover_cores = [4095]", 2, 15, "core 4095", "here there are"},
        {"[partition.a]\ntoken_file = \"/nonexistent/token\"", 2, 14, "No such file", "nobody can"},
    });
}

TEST(ConfigMistakes, RulesThatOnlyLookAlikeAreNotCovered) {
    const std::string head = "[partition.a]\n[partition.b]\n[[allow]]\nfrom = \"a\"\nto = \"b\"\n";
    const std::string turned = "[[allow]]\nfrom = \"b\"\nto = \"a\"\noperations = \"send\"\n";
    (void)good(head + "operations = \"send\"\n" + turned);
    (void)good(head +
               "operations = \"connect\"\nservices = \"x*\"\n[[allow]]\nfrom = \"a\"\n"
               "to = \"b\"\noperations = \"connect\"\nservices = \"*x\"\n");
    const Loaded mutual = load_toml(head + "operations = \"send\"\nmutual = true\n" + turned);
    ASSERT_EQ(mutual.problems.size(), 1U);
    EXPECT_THAT(mutual.problems[0].text, HasSubstr("'allow 2' changes nothing"));
}

TEST(ConfigMistakes, ATokenThatOthersReadIsToldOf) {
    const test::TempDirectory directory;
    const std::string path = directory / "token";
    std::ofstream(path) << "secret";
    const std::string toml = "[partition.a]\ntoken_file = \"" + path + "\"\n";
    ASSERT_EQ(::chmod(path.c_str(), 0640), 0);
    EXPECT_EQ(good(toml).partitions.at("a").token_file, path);
    ASSERT_EQ(::chmod(path.c_str(), 0644), 0);
    expect_warnings({{toml, 2, 14, "everybody may read", "chmod o-rwx"}});
    expect_errors({{"[partition.a]\ntoken_file = \"/\"", 2, 14, "not an ordinary file", "token"}});
}

TEST(ConfigMistakes, TooManyRules) {
    std::string toml = "[partition.a]\n";
    for (int i = 0; i <= 4096; ++i)
        toml += "[[allow]]\n";
    expect_errors({{toml, 4098, 1, "4097 rules; at most 4096", "several names"}});
}

TEST(ConfigMistakes, AllAreTold) {
    const Loaded loaded = load_toml(
        "[adapter]\nmovers = \"x\"\nmovrs = 1\n[quota]\nmax_regions = 0\n"
        "[partition.open]\n[[allow]]\nto = \"b\"\n");
    std::vector<std::uint32_t> lines;
    for (const Problem& problem : loaded.problems)
        lines.push_back(problem.where.line);
    EXPECT_EQ(lines, (std::vector<std::uint32_t>{2, 3, 5, 6, 7, 7, 8})) << all_problems(loaded);
}

TEST(ConfigMistakes, AFileThatCannotBeReadIsAnErrorAndAllowsNothing) {
    const Loaded loaded = load("/nonexistent/causeway.toml", {});
    EXPECT_FALSE(loaded.ok());
    EXPECT_TRUE(loaded.config.from_file);
    EXPECT_THAT(all_problems(loaded), HasSubstr("No such file"));
}

}  // namespace
}  // namespace causeway::config
