#include "config/change.hpp"

#include <gmock/gmock.h>

#include "unit/config/loading.hpp"

namespace causeway::config {
namespace {

using Kind = Change::Kind;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kBefore[] = R"([adapter]
movers = 2
[partition.a]
uid = 1
[partition.b]
[partition.c]
[segment.s]
size = "64K"
writers = "a"
[segment.t]
size = "64K"
writers = "a"
[unit."a/lan0"]
type = "network"
[unit."b/disk0"]
type = "block"
[[allow]]
name = "one"
from = "a"
to = "b"
operations = "send"
[[allow]]
from = "b"
to = "c"
operations = "all"
)";

std::string with(const std::string& what, const std::string& instead) {
    std::string text = kBefore;
    const std::size_t at = text.find(what);
    EXPECT_NE(at, std::string::npos) << what;
    return text.replace(at, what.size(), instead);
}

// The only change from kBefore to `after`.
Change only(const std::string& after) {
    const auto list = changes(good(kBefore), good(after));
    EXPECT_EQ(list.size(), 1U) << after;
    return list.empty() ? Change{} : list.front();
}

struct Case {
    std::string what;
    std::string instead;
    Kind kind;
    std::string name;
    std::string text;
};

TEST(ConfigChange, EveryKind) {
    const std::vector<Case> cases{
        {"movers = 2", "movers = 3", Kind::needs_restart, "movers",
         "adapter.movers 2 becomes 3 with the adapter's next start"},
        {"[partition.b]", "[partition.b]\n[partition.d]", Kind::partition_added, "d",
         "partition 'd' is new"},
        {"uid = 1", "uid = 2", Kind::identity_changed, "a", "partition 'a': uid 1 becomes 2"},
        {"uid = 1", "", Kind::identity_changed, "a", "partition 'a': uid 1 is taken away"},
        {"uid = 1", "uid = 1\ngid = 5", Kind::identity_changed, "a", "gid becomes 5"},
        {"uid = 1", "uid = 1\nweight = 7", Kind::weight_changed, "a",
         "partition 'a': weight 100 becomes 7"},
        {"uid = 1", "uid = 1\nquota = { max_bytes = \"1G\" }", Kind::quota_changed, "a",
         "partition 'a': quota: max_bytes 0 becomes \"1G\""},
        {"operations = \"send\"", "operations = [\"send\", \"read\"]", Kind::rules_changed, "one",
         "rule 'one': operations \"send\" becomes [\"send\", \"read\"]"},
        {"[[allow]]",
         "[[allow]]\nname = \"new\"\nfrom = \"c\"\nto = \"c\"\noperations = \"all\"\n"
         "[[allow]]",
         Kind::rules_changed, "new", "rule 'new' is new"},
        {"[[allow]]\nname = \"one\"\nfrom = \"a\"\nto = \"b\"\noperations = \"send\"\n", "",
         Kind::rules_changed, "one", "rule 'one' is removed"},
        {"[segment.s]", "[segment.u]\nsize = 4096\nwriters = \"b\"\n[segment.s]",
         Kind::segment_added, "u", "segment 'u' is new"},
        {"[segment.s]\nsize = \"64K\"", "[segment.s]\nsize = \"128K\"", Kind::segment_changed, "s",
         "segment 's': size \"64K\" becomes \"128K\""},
        {"writers = \"a\"", "writers = \"a\"\nreaders = \"b\"", Kind::segment_changed, "s",
         "readers becomes \"b\""},
        {"[segment.t]\nsize = \"64K\"\nwriters = \"a\"\n", "", Kind::segment_removed, "t",
         "segment 't' is removed"},
        {"[unit.\"a/lan0\"]", "[unit.\"a/lan1\"]\ntype = \"other\"\n[unit.\"a/lan0\"]",
         Kind::unit_added, "a/lan1", "unit 'a/lan1' is new"},
        {"type = \"network\"", "type = \"security\"", Kind::unit_changed, "a/lan0",
         "unit 'a/lan0': type \"network\" becomes \"security\""},
        {"[unit.\"b/disk0\"]\ntype = \"block\"\n", "", Kind::unit_removed, "b/disk0",
         "unit 'b/disk0' is removed"},
    };
    for (const Case& each : cases) {
        SCOPED_TRACE(each.instead);
        const Change change = only(with(each.what, each.instead));
        EXPECT_EQ(change_name(change.kind), change_name(each.kind));
        EXPECT_EQ(change.name, each.name);
        EXPECT_THAT(change.text, HasSubstr(each.text));
    }
}

TEST(ConfigChange, APartitionThatGoesTakesNothingElseAlong) {
    const auto list = changes(good("[partition.a]\n[partition.b]\n"), good("[partition.a]\n"));
    ASSERT_EQ(list.size(), 1U);
    EXPECT_EQ(list[0].kind, Kind::partition_removed);
    EXPECT_EQ(list[0].name, "b");
}

TEST(ConfigChange, WhereRulesStandIsNoChange) {
    EXPECT_THAT(changes(good(kBefore), good(kBefore)), IsEmpty());
    EXPECT_THAT(changes(good(kBefore), good("# a comment\n" + std::string(kBefore))), IsEmpty());
    // The second rule, without a name of its own, becomes the third.
    const Change change = only(with("[[allow]]\nfrom",
                                    "[[allow]]\nname = \"x\"\nfrom = \"c\"\nto = \"a\"\n"
                                    "operations = \"all\"\n[[allow]]\nfrom"));
    EXPECT_EQ(change.name, "x");
}

TEST(ConfigChange, TheCommonQuotaReachesEveryPartitionThatHasNoOwn) {
    const auto list = changes(good("[partition.a]\n[partition.b.quota]\nmax_regions = 9\n"),
                              good("[quota]\nmax_regions = 9\n[partition.a]\n[partition.b]\n"));
    ASSERT_EQ(list.size(), 2U);
    EXPECT_EQ(list[0].name, "a");
    EXPECT_EQ(list[1].name, "");
    EXPECT_EQ(list[1].kind, Kind::quota_changed);
}

TEST(ConfigChange, AFirstFileIsAChangeOfTheRules) {
    const auto list = changes(Config{}, good(""));
    ASSERT_EQ(list.size(), 1U);
    EXPECT_EQ(list[0].kind, Kind::rules_changed);
    EXPECT_EQ(list[0].name, "");
}

}  // namespace
}  // namespace causeway::config
