// Who may do what: against a second, plainly written reading of the rules, and in words.
#include "config/policy.hpp"

#include <gmock/gmock.h>

#include <regex>

#include "unit/config/loading.hpp"

namespace causeway::config {
namespace {

using ::testing::HasSubstr;

constexpr Operation kEvery[] = {Operation::connect, Operation::send, Operation::write,
                                Operation::read, Operation::append};
constexpr Executor kBoth[] = {Executor::adapter, Executor::direct};
const std::vector<std::string> kNames{"orders", "billing", "billing-2", "feed", "audit"};

constexpr char kPartitions[] =
    "[partition.orders]\n[partition.billing]\n[partition.billing-2]\n"
    "[partition.feed]\n[partition.audit]\n";
constexpr char kRules[] = R"(
[[allow]]
name = "orders to billing"
from = "orders"
to = ["billing", "billing-*"]
operations = ["connect", "send"]
services = ["invoices", "re*"]
[[allow]]
name = "near"
from = "billing*"
to = "feed"
operations = "all"
executor = "direct"
mutual = true
[[allow]]
name = "audited"
from = "*"
to = "audit"
operations = "append"
[[allow]]
name = "reading"
from = "feed"
to = "orders"
operations = ["read", "connect"]
mutual = true
)";

Config configured() { return good(std::string(kPartitions) + kRules); }

// The table that the rules above mean, written out by hand: cells by FROM and TO.
struct Cell {
    std::string operations;  // letters of connect, send, write, Read, append
    bool direct = false;     // all of them also by direct
    bool any_service = true;
};
Cell cell(const std::string& from, const std::string& to) {
    Cell out;
    const bool from_billing = from == "billing" || from == "billing-2";
    const bool to_billing = to == "billing" || to == "billing-2";
    if (from == "orders" && to_billing)
        out = {"cs", false, false};
    if ((from_billing && to == "feed") || (from == "feed" && to_billing))
        out = {"cswRa", true, true};
    if ((from == "feed" && to == "orders") || (from == "orders" && to == "feed"))
        out = {"cR", false, true};
    if (to == "audit")
        out.operations += "a";
    return out;
}

char letter(Operation operation) {
    switch (operation) {
        case Operation::connect:
            return 'c';
        case Operation::send:
            return 's';
        case Operation::write:
            return 'w';
        case Operation::read:
            return 'R';
        case Operation::append:
            return 'a';
    }
    return '?';
}

TEST(ConfigPolicy, EveryCellOfTheMatrixIsAsTheFileSays) {
    const Config config = configured();
    int allowed = 0;
    int denied = 0;
    for (const std::string& from : kNames) {
        for (const std::string& to : kNames) {
            const Cell expected = cell(from, to);
            for (const Operation operation : kEvery) {
                for (const Executor executor : kBoth) {
                    for (const char* const service : {"", "invoices", "returns", "secret"}) {
                        const bool named =
                            std::string(service) == "invoices" || std::string(service) == "returns";
                        const bool service_fits =
                            operation != Operation::connect || expected.any_service || named;
                        const bool wanted =
                            expected.operations.find(letter(operation)) != std::string::npos &&
                            (executor == Executor::adapter || expected.direct) && service_fits;
                        const Verdict verdict =
                            decide(config, from, to, operation, executor, service);
                        EXPECT_EQ(verdict.allowed, wanted)
                            << from << " " << to << " " << operation_name(operation) << " "
                            << static_cast<int>(executor) << " '" << service << "'";
                        EXPECT_EQ(verdict.rule == "no rule", !wanted);
                        EXPECT_LE(verdict.rule.size(), 63U);
                        ++(wanted ? allowed : denied);
                    }
                }
            }
        }
    }
    EXPECT_GT(allowed, 100);
    EXPECT_GT(denied, 100);
}

TEST(ConfigPolicy, OperationsAllowedAreThoseOfDecide) {
    const Config config = configured();
    for (const std::string& from : kNames) {
        for (const std::string& to : kNames) {
            std::uint8_t expected = 0;
            for (const Operation operation : kEvery) {
                if (cell(from, to).operations.find(letter(operation)) != std::string::npos)
                    expected |= static_cast<std::uint8_t>(operation);
            }
            EXPECT_EQ(operations_allowed(config, from, to), expected) << from << " " << to;
        }
    }
    EXPECT_EQ(operations_allowed(config, "orders", "stranger"), 0);
    EXPECT_EQ(operations_allowed(Config{}, "x", "y"), kAllOperations);
}

// What a denial says to write into the file allows exactly what was asked for.
TEST(ConfigPolicy, TheLinesOfADenialAllowIt) {
    const Config before = configured();
    int tried = 0;
    for (const std::string& from : kNames) {
        for (const std::string& to : kNames) {
            for (const Operation operation : kEvery) {
                for (const Executor executor : kBoth) {
                    const Verdict denial = decide(before, from, to, operation, executor, "secret");
                    if (denial.allowed)
                        continue;
                    EXPECT_THAT(denial.text, ::testing::EndsWith(denial.remedy));
                    const Loaded after =
                        load_toml(std::string(kPartitions) + kRules + denial.remedy + "\n");
                    ASSERT_TRUE(after.ok()) << denial.remedy << "\n" << all_problems(after);
                    EXPECT_TRUE(
                        decide(after.config, from, to, operation, executor, "secret").allowed)
                        << denial.remedy;
                    ++tried;
                }
            }
        }
    }
    EXPECT_GT(tried, 50);
}

TEST(ConfigPolicy, SaysWhichRuleAllowsAndWhichCameNear) {
    const Config config = configured();
    const auto text = [&](const char* from, const char* to, Operation operation,
                          Executor executor = Executor::adapter, const char* service = "") {
        return decide(config, from, to, operation, executor, service).text;
    };
    EXPECT_EQ(text("orders", "billing", Operation::send),
              "rule 'orders to billing' (f.toml:7:1) allows it");
    EXPECT_THAT(text("orders", "billing", Operation::write),
                HasSubstr("no rule allows 'orders' to write to 'billing' by adapter: rule 'orders "
                          "to billing' (f.toml:7:1) does not have write"));
    EXPECT_THAT(text("orders", "billing", Operation::connect, Executor::adapter, "secret"),
                HasSubstr("has services 'invoices' and 're*' only"));
    EXPECT_THAT(text("orders", "billing", Operation::send, Executor::direct),
                HasSubstr("rule 'orders to billing' (f.toml:7:1) has executor adapter only"));
    EXPECT_THAT(text("billing", "orders", Operation::send),
                HasSubstr("is for the other direction and not mutual"));
    EXPECT_THAT(text("orders", "orders", Operation::send), HasSubstr("none names this pair"));
    EXPECT_THAT(text("orders", "feed", Operation::append),
                HasSubstr("rule 'reading' (f.toml:25:1) does not have append"));
}

TEST(ConfigPolicy, AStrangerIsDeniedUnlessTheOpenEntranceAdmitsIt) {
    Config config = configured();
    const Verdict denial = decide(config, "ordes", "audit", Operation::append, Executor::adapter);
    EXPECT_FALSE(denial.allowed);
    EXPECT_THAT(denial.text, HasSubstr("no partition 'ordes' in the configuration (did you mean "
                                       "'orders'?)"));
    EXPECT_EQ(denial.remedy, "[partition.ordes]");
    config.adapter.open_entrance = true;
    EXPECT_TRUE(decide(config, "ordes", "audit", Operation::append, Executor::adapter).allowed);
    EXPECT_FALSE(decide(config, "ordes", "feed", Operation::append, Executor::adapter).allowed);
}

TEST(ConfigPolicy, WithoutAFileTheDefaultHolds) {
    const Verdict adapter = decide({}, "a", "b", Operation::connect, Executor::adapter, "s");
    EXPECT_TRUE(adapter.allowed);
    const Verdict direct = decide({}, "a", "b", Operation::connect, Executor::direct, "s");
    EXPECT_FALSE(direct.allowed);
    EXPECT_THAT(direct.condition, HasSubstr("open entrance"));
    EXPECT_THAT(direct.text, HasSubstr(direct.condition));
}

constexpr char kUnits[] = R"(
[unit."feed/lan0"]
type = "network"
[unit."feed/disk0"]
type = "block"
[unit."audit/lan0"]
type = "other"
)";
constexpr UnitType kTypes[] = {UnitType::network, UnitType::block, UnitType::security,
                               UnitType::other};

TEST(ConfigPolicy, OnlyDeclaredUnitsAreAllowed) {
    const std::string file = std::string(kPartitions) + kUnits;
    const Config config = good(file);
    const std::map<std::string, UnitType> declared{{"feed/lan0", UnitType::network},
                                                   {"feed/disk0", UnitType::block},
                                                   {"audit/lan0", UnitType::other}};
    for (const std::string& partition : kNames) {
        for (const std::string name : {"lan0", "disk0", "lan1"}) {
            std::string key = partition;
            key.append("/").append(name);
            const auto unit = declared.find(key);
            for (const UnitType type : kTypes) {
                SCOPED_TRACE(testing::Message() << key << " " << unit_type_name(type));
                const Verdict verdict = decide_unit(config, partition, name, type);
                EXPECT_EQ(verdict.allowed, unit != declared.end() && unit->second == type);
                EXPECT_EQ(verdict.rule, unit != declared.end() ? "unit " + key : "no rule");
                if (verdict.allowed)
                    continue;
                // What a denial says to write allows exactly what was asked for.
                EXPECT_THAT(verdict.text, ::testing::EndsWith(verdict.remedy));
                const Config mended = good(std::string(kPartitions) + verdict.remedy + "\n");
                EXPECT_TRUE(decide_unit(mended, partition, name, type).allowed);
            }
        }
    }
}

TEST(ConfigPolicy, SaysWhichUnitAllowsOrWhatIsMissing) {
    Config config = good(std::string(kPartitions) + kUnits);
    const auto text = [&](const char* partition, const char* name, UnitType type) {
        return decide_unit(config, partition, name, type).text;
    };
    EXPECT_EQ(text("feed", "lan0", UnitType::network), "unit 'feed/lan0' (f.toml:7:7) allows it");
    EXPECT_THAT(text("feed", "lan0", UnitType::block),
                HasSubstr("unit 'feed/lan0' (f.toml:7:7) has type network, not block"));
    EXPECT_THAT(text("feed", "lan1", UnitType::network),
                HasSubstr("no unit 'feed/lan1' in the configuration (did you mean 'lan0'?)"));
    EXPECT_THAT(text("stranger", "lan0", UnitType::network), HasSubstr("no partition 'stranger'"));
    config.adapter.open_entrance = true;
    EXPECT_THAT(text("stranger", "lan0", UnitType::network), HasSubstr("no unit 'stranger/lan0'"));
    EXPECT_TRUE(decide_unit({}, "x", "y", UnitType::security).allowed) << "without a file";
}

TEST(ConfigPolicy, SegmentsAreForReadersAndWriters) {
    Segment segment;
    segment.readers = {"orders", "billing*", "both"};
    segment.writers = {"feed", "both"};
    EXPECT_EQ(access_of(segment, "orders"), SegmentAccess::read);
    EXPECT_EQ(access_of(segment, "billing-2"), SegmentAccess::read);
    EXPECT_EQ(access_of(segment, "feed"), SegmentAccess::write);
    EXPECT_EQ(access_of(segment, "both"), SegmentAccess::write);
    EXPECT_EQ(access_of(segment, "audit"), SegmentAccess::none);
}

TEST(ConfigPolicy, PatternsMatchAsTheSameRegularExpressionDoes) {
    const std::vector<std::string> patterns{"*",  "a",   "a*", "*a",   "a*b",     "a**b", "*a*b*",
                                            "ab", "*ab", "**", "b*a*", "a*a*a*b", "a.b",  "a-*"};
    std::vector<std::string> names{""};
    for (std::size_t i = 0; i < names.size() && names[i].size() < 6; ++i) {
        for (const char c : {'a', 'b'})
            names.push_back(names[i] + c);
    }
    names.insert(names.end(), {"a.b", "acb", "a-x", "a-"});
    for (const std::string& pattern : patterns) {
        std::string expression;
        for (const char c : pattern)
            expression += c == '*' ? ".*" : c == '.' ? "\\." : std::string(1, c);
        const std::regex oracle(expression);
        for (const std::string& name : names)
            EXPECT_EQ(matches(pattern, name), std::regex_match(name, oracle))
                << pattern << " " << name;
    }
}

}  // namespace
}  // namespace causeway::config
