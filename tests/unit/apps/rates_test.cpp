#include "see/rates.hpp"

#include <gtest/gtest.h>

#include <cstring>

#include "see/view.hpp"

namespace causeway::cli {
namespace {

abi::PartitionRow partition(const char* name, std::uint32_t session, std::uint64_t operations,
                            std::uint64_t bytes) {
    abi::PartitionRow row{};
    std::strncpy(row.name, name, sizeof row.name - 1);
    row.session = session;
    row.pid = 100 + session;
    row.operations = operations;
    row.bytes = bytes;
    return row;
}

Sample sample_at(std::uint64_t seconds, std::vector<abi::PartitionRow> partitions) {
    Sample sample;
    sample.at_ns = seconds * 1'000'000'000;
    sample.adapter.pid = 7;
    sample.adapter.uptime_ns = sample.at_ns;
    sample.partitions = std::move(partitions);
    return sample;
}

TEST(Rates, AreDifferencesPerSecond) {
    Sample before = sample_at(10, {partition("a", 1, 100, 1000)});
    Sample now = sample_at(12, {partition("a", 1, 300, 5000), partition("new", 2, 50, 50)});
    before.cpu_ns[101] = 1'000'000'000;
    now.cpu_ns[101] = 2'000'000'000;
    now.partitions[0].stall_ns = 1'000'000'000;
    now.partitions[0].claimed_operations = 8;
    const Rates rates = rates_between(&before, now);
    ASSERT_EQ(rates.partitions.size(), 2u);
    const PartitionRates& a = rates.partitions[0];
    EXPECT_DOUBLE_EQ(a.operations.value(), 100);
    EXPECT_DOUBLE_EQ(a.bytes.value(), 2000);
    EXPECT_DOUBLE_EQ(a.cpu.value(), 0.5);
    EXPECT_DOUBLE_EQ(a.stalled.value(), 0.5);
    EXPECT_DOUBLE_EQ(a.claimed_operations.value(), 4);
    EXPECT_FALSE(rates.partitions[1].operations.has_value()) << "nothing to compare with";
}

TEST(Rates, BeginAnewWithAnotherAdapter) {
    const Sample before = sample_at(10, {partition("a", 1, 100, 1000)});
    Sample now = sample_at(12, {partition("a", 1, 300, 5000)});
    now.adapter.pid = 8;
    EXPECT_FALSE(rates_between(&before, now).partitions[0].operations.has_value());
    now.adapter.pid = 7;  // the same number once more
    now.adapter.uptime_ns = 1;
    EXPECT_FALSE(rates_between(&before, now).partitions[0].operations.has_value());
    EXPECT_FALSE(rates_between(nullptr, now).partitions[0].operations.has_value());
}

TEST(Rates, ACounterThatWentDownHasNone) {
    const Sample before = sample_at(10, {partition("a", 1, 100, 1000)});
    const Sample now = sample_at(12, {partition("a", 1, 50, 2000)});
    const Rates rates = rates_between(&before, now);
    EXPECT_FALSE(rates.partitions[0].operations.has_value());
    EXPECT_DOUBLE_EQ(rates.partitions[0].bytes.value(), 500);
}

TEST(Rates, CpuTicksAreFoundBehindAnyName) {
    std::uint64_t ticks = 0;
    EXPECT_TRUE(parse_cpu_ticks("12 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 30 12 0 0 20 0 1", ticks));
    EXPECT_EQ(ticks, 42u);
    EXPECT_FALSE(parse_cpu_ticks("12 (cut", ticks));
    EXPECT_FALSE(parse_cpu_ticks("12 (a) S 1 2", ticks));
    EXPECT_FALSE(parse_cpu_ticks("", ticks));
}

Rates three() {
    const Sample before =
        sample_at(10, {partition("a", 1, 0, 0), partition("b", 2, 0, 0), partition("c", 3, 0, 0)});
    Sample now = sample_at(
        11, {partition("a", 1, 10, 10), partition("b", 2, 10, 30), partition("c", 3, 10, 20)});
    now.partitions[2].stalls = 5;
    return rates_between(&before, now);
}

std::string names(const Rates& rates) {
    std::string all;
    for (const auto& row : rates.partitions)
        all += row.row.name;
    return all;
}

TEST(View, SortsByWhatIsAskedFor) {
    Rates rates = three();
    order(rates, Sort::throughput);
    EXPECT_EQ(names(rates), "bca");
    order(rates, Sort::stalls);
    EXPECT_EQ(names(rates), "cab");
    order(rates, Sort::name);
    EXPECT_EQ(names(rates), "abc");
    order(rates, Sort::cpu);
    EXPECT_EQ(names(rates), "abc") << "by name where nothing else tells them apart";
}

TEST(View, KeysChangeItAsInTop) {
    View view;
    EXPECT_EQ(press(view, 'P'), Act::redraw);
    EXPECT_EQ(view.sort, Sort::cpu);
    EXPECT_EQ(press(view, '>'), Act::redraw);
    EXPECT_EQ(view.sort, Sort::throughput);
    (void)press(view, '<');
    (void)press(view, '<');
    EXPECT_EQ(view.sort, Sort::stalls) << "round and round";
    EXPECT_EQ(press(view, 'v'), Act::redraw);
    EXPECT_EQ(view.show, Show::pairs);
    EXPECT_EQ(press(view, ' '), Act::refresh);
    EXPECT_EQ(press(view, 'q'), Act::quit);
    EXPECT_EQ(press(view, 'x'), Act::none);
}

TEST(View, AFrameFitsTheTerminal) {
    const Rates rates = three();
    View view;
    view.columns = 20;
    view.lines = 6;
    const std::string text = frame(&rates, view, "");
    std::size_t lines = 0;
    for (std::size_t at = 0; at < text.size(); ++lines) {
        const std::size_t end = text.find('\n', at);
        EXPECT_LE(end - at, 20u);
        at = end + 1;
    }
    EXPECT_EQ(lines, 5u);
    view.columns = 0;
    EXPECT_NE(frame(&rates, view, "").find("PARTITION"), std::string::npos);
}

TEST(View, SaysThatTheAdapterHasGone) {
    EXPECT_NE(frame(nullptr, View{}, "connect: refused").find("no adapter: connect: refused"),
              std::string::npos);
    const json object = frame_json(nullptr, "connect: refused");
    EXPECT_EQ(object.at("error"), "connect: refused");
    EXPECT_TRUE(object.at("adapter").is_null());
}

}  // namespace
}  // namespace causeway::cli
