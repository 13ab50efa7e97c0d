// What a configuration says, where each value comes from, and who goes before whom.
#include <gmock/gmock.h>

#include <cstdlib>

#include "config/sizes.hpp"
#include "unit/config/loading.hpp"

namespace causeway::config {
namespace {

using ::testing::HasSubstr;

constexpr char kFile[] = R"([adapter]
runtime_dir = "/run/causeway"
movers = 2
mover_cores = "0"
resume_patience = 2.5
copies = "/etc/causeway/copies"
log_level = "debug"
log_json = true
audit_log = "/var/log/audit.jsonl"
metrics = "[::1]:9464"
open_entrance = true
[quota]
max_bytes = "1G"
max_regions = 7
[partition.orders]
uid = 1000
gid = 0
weight = 200
quota = { max_bytes = "512M" }
[partition."a.b"]
[segment.prices]
size = 65536
readers = ["orders", "a*"]
writers = "orders"
[[allow]]
name = "one"
from = "orders"
to = ["a.b", "o*"]
operations = ["connect", "send"]
services = "invoices"
[[allow]]
from = "a.b"
to = "*"
operations = "all"
executor = "direct"
mutual = true
[unit."orders/lan0"]
type = "network"
[unit]
"a.b/x" = { type = "other" }
)";

TEST(ConfigSettings, EveryKeyArrives) {
    const Config config = good(kFile);
    EXPECT_TRUE(config.from_file);
    const Adapter& adapter = config.adapter;
    EXPECT_EQ(adapter.runtime_directory, "/run/causeway");
    EXPECT_EQ(adapter.movers, 2U);
    EXPECT_EQ(adapter.mover_cores, std::vector<unsigned>{0});
    EXPECT_EQ(adapter.resume_patience_s, 2.5);
    EXPECT_EQ(adapter.copies, "/etc/causeway/copies");
    EXPECT_EQ(adapter.log_level, "debug");
    EXPECT_TRUE(adapter.log_json);
    EXPECT_EQ(adapter.audit_log, "/var/log/audit.jsonl");
    EXPECT_EQ(adapter.metrics, "[::1]:9464");
    EXPECT_TRUE(adapter.open_entrance);
    EXPECT_EQ(config.quota.max_bytes, std::uint64_t{1} << 30);
    const Partition& orders = config.partitions.at("orders");
    EXPECT_EQ(orders.uid, uid_t{1000});
    EXPECT_EQ(orders.weight, 200U);
    EXPECT_EQ(orders.quota.max_bytes, std::uint64_t{512} << 20);
    EXPECT_EQ(orders.quota.max_regions, 7U);  // of [quota]
    EXPECT_EQ(config.partitions.at("a.b").quota, config.quota);
    const Segment& prices = config.segments.at("prices");
    EXPECT_EQ(prices.size, 65536U);
    EXPECT_EQ(prices.readers, (std::vector<std::string>{"orders", "a*"}));
    ASSERT_EQ(config.units.size(), 2U);
    EXPECT_EQ(config.units.at("orders/lan0").partition, "orders");
    EXPECT_EQ(config.units.at("orders/lan0").name, "lan0");
    EXPECT_EQ(config.units.at("orders/lan0").type, UnitType::network);
    EXPECT_EQ(config.units.at("a.b/x").type, UnitType::other);
    EXPECT_EQ(text_of(config.units.at("a.b/x").origin), "f.toml:40:1");
    ASSERT_EQ(config.rules.size(), 2U);
    EXPECT_EQ(config.rules[0].name, "one");
    EXPECT_EQ(config.rules[0].operations, 3);
    EXPECT_EQ(config.rules[1].name, "allow 2");
    EXPECT_EQ(config.rules[1].operations, kAllOperations);
    EXPECT_EQ(config.rules[1].executor, Executor::direct);
    EXPECT_EQ(text_of(config.rules[1].origin), "f.toml:31:1");
}

TEST(ConfigSettings, EveryValueHasItsOrigin) {
    const Loaded loaded = load_toml(kFile);
    EXPECT_EQ(setting(loaded, "adapter.movers"), "f.toml:3:10 2");
    EXPECT_EQ(setting(loaded, "quota.max_listeners"), "built in 256");
    EXPECT_EQ(setting(loaded, "quota.max_bytes"), "f.toml:13:13 \"1G\"");
    EXPECT_EQ(setting(loaded, "partition.orders.quota.max_bytes"), "f.toml:19:23 \"512M\"");
    EXPECT_EQ(setting(loaded, "partition.orders.quota.max_regions"), "f.toml:14:15 7");
    EXPECT_EQ(setting(loaded, "partition.\"a.b\".weight"), "built in 100");
    EXPECT_EQ(setting(loaded, "partition.\"a.b\".uid"), "none");
    EXPECT_EQ(setting(loaded, "segment.prices.size"), "f.toml:22:8 \"64K\"");
    EXPECT_EQ(setting(loaded, "unit.\"orders/lan0\".type"), "f.toml:38:8 \"network\"");
    EXPECT_EQ(setting(loaded, "unit.\"a.b/x\".type"), "f.toml:40:20 \"other\"");
    EXPECT_EQ(setting(loaded, "allow[1].operations"), "f.toml:29:15 [\"connect\", \"send\"]");
    EXPECT_EQ(setting(loaded, "allow[2].operations"), "f.toml:34:14 \"all\"");
    EXPECT_EQ(setting(loaded, "allow[1].mutual"), "built in false");
}

// What is shown can be given back, key by key, and means the same.
TEST(ConfigSettings, WhatIsShownReadsBackTheSame) {
    const Loaded loaded = load_toml(kFile);
    Overrides overrides;
    for (const Setting& each : loaded.settings) {
        if (!each.key.starts_with("allow"))
            overrides.command_line.emplace_back(each.key, each.value);
    }
    const Loaded again = load("", overrides);
    EXPECT_EQ(all_problems(again), "");
    EXPECT_EQ(again.config.adapter, loaded.config.adapter);
    EXPECT_EQ(again.config.quota, loaded.config.quota);
    EXPECT_EQ(again.config.partitions, loaded.config.partitions);
    EXPECT_EQ(again.config.segments, loaded.config.segments);
    ASSERT_EQ(again.config.units.size(), loaded.config.units.size());
    for (const auto& [name, unit] : loaded.config.units)
        EXPECT_EQ(again.config.units.at(name).type, unit.type) << name;
}

TEST(ConfigSettings, TheCommandLineGoesBeforeTheEnvironmentAndThatBeforeTheFile) {
    Overrides overrides;
    overrides.environment = {{"CAUSEWAY_ADAPTER_MOVERS", "3"},
                             {"CAUSEWAY_QUOTA_MAX_BYTES", "2G"},
                             {"CAUSEWAY_ADAPTER_LOG_LEVEL", "error"}};
    overrides.command_line = {{"adapter.movers", "5"}, {"partition.\"a.b\".weight", "9"}};
    const Loaded loaded = load_toml(kFile, overrides);
    EXPECT_EQ(all_problems(loaded), "");
    EXPECT_EQ(setting(loaded, "adapter.movers"), "--set 5");
    EXPECT_EQ(setting(loaded, "adapter.log_level"), "CAUSEWAY_ADAPTER_LOG_LEVEL \"error\"");
    EXPECT_EQ(setting(loaded, "partition.\"a.b\".quota.max_bytes"),
              "CAUSEWAY_QUOTA_MAX_BYTES \"2G\"");
    EXPECT_EQ(loaded.config.partitions.at("a.b").weight, 9U);
    EXPECT_EQ(loaded.config.partitions.at("orders").weight, 200U);
}

TEST(ConfigSettings, OverridesGetTheSameChecks) {
    Overrides overrides;
    overrides.environment = {{"CAUSEWAY_ADAPTER_MOVERS", "many"},
                             {"CAUSEWAY_ADAPTER_MOVRES", "2"},
                             {"CAUSEWAY_ADAPTER_PATIENCE", "5"},
                             {"CAUSEWAY_ADAPTER_SERVICE_HOST", "10.0.0.1"}};
    overrides.command_line = {{"quota.max_byte", "1G"},
                              {"quota.max_bytes", "1"},
                              {"adapter.mover_cores", "[0,"},
                              {"adapter.copies", "\"/etc"},
                              {"a b", "1"},
                              {"", "1"},
                              {"x = 1\ny", "1"}};
    const Loaded loaded = load("", overrides);
    const std::string told = all_problems(loaded);
    EXPECT_THAT(told, HasSubstr("CAUSEWAY_ADAPTER_MOVERS: error: adapter.movers is \"many\""));
    EXPECT_THAT(told, HasSubstr("did you mean CAUSEWAY_ADAPTER_MOVERS?"));
    EXPECT_THAT(told, HasSubstr("--set: error: there is no key \"max_byte\" in [quota]"));
    EXPECT_THAT(told, HasSubstr("--set: error: quota.max_bytes is 1, outside"));
    EXPECT_THAT(told, HasSubstr("--set: error: adapter.mover_cores is \"[0,\", no list"));
    EXPECT_THAT(told, HasSubstr("--set: error: adapter.copies: \"?/etc\" is no TOML"));
    EXPECT_THAT(told, HasSubstr("\"a b\" is no key"));
    EXPECT_EQ(loaded.problems.size(), 9U) << told;
}

TEST(ConfigSettings, TheEnvironmentIsReadByPrefix) {
    ::setenv("CAUSEWAY_QUOTA_MAX_REGIONS", "12", 1);
    const Loaded loaded = load("", overrides_from_environment());
    ::unsetenv("CAUSEWAY_QUOTA_MAX_REGIONS");
    EXPECT_EQ(loaded.config.quota.max_regions, 12U);
    EXPECT_EQ(setting(loaded, "quota.max_regions"), "CAUSEWAY_QUOTA_MAX_REGIONS 12");
    EXPECT_FALSE(loaded.config.from_file);
}

TEST(ConfigSettings, WithoutAFileTheDefaultsHoldUntilAnOptionDecidesSomething) {
    EXPECT_FALSE(load("", {}).config.from_file);
    Overrides overrides;
    overrides.command_line = {{"partition.a.weight", "1"}};
    EXPECT_TRUE(load("", overrides).config.from_file);
    overrides.command_line = {{"unit.\"a/lan0\".type", "network"}};
    EXPECT_TRUE(load("", overrides).config.from_file);
    EXPECT_TRUE(load_toml("").config.from_file);
}

TEST(ConfigSizes, ReadAndWritten) {
    EXPECT_EQ(size_of("4096"), 4096U);
    EXPECT_EQ(size_of("64k"), 65536U);
    EXPECT_EQ(size_of("1MiB"), 1U << 20);
    EXPECT_EQ(size_of("2GB"), std::uint64_t{2} << 30);
    EXPECT_EQ(size_of("1T"), std::uint64_t{1} << 40);
    for (const char* const bad : {"", "M", "1.5G", "-1", "1 G", "1Q", "1Gi", "18446744073709551616",
                                  "18014398509481984K", "0x10"})
        EXPECT_EQ(size_of(bad), std::nullopt) << bad;
    EXPECT_EQ(size_text(512 << 20), "512M");
    EXPECT_EQ(size_text(1000), "1000");
    EXPECT_EQ(size_text(0), "0");
}

}  // namespace
}  // namespace causeway::config
