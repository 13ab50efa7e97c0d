#include "lab/report.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "made_up.hpp"

namespace causeway::bench {
namespace {

using perf::Touch;
using ::testing::HasSubstr;
using ::testing::Not;

MadeUp a_run() {
    MadeUp made;
    made->probes = {50, 51, 250};
    for (const Touch touch : {Touch::read, Touch::none}) {
        made.measured("causeway-adapter-send", perf::Test::latency, 8, touch, 2500)
            .measured("unix", perf::Test::latency, 8, touch, 20000)
            .measured("unix", perf::Test::latency, 8, touch, 30000, Regime::far)
            .measured("causeway-adapter-send", perf::Test::bandwidth, 4096, touch, 9.5)
            .measured("causeway-adapter-send", perf::Test::bandwidth, 1 << 20, touch, 12)
            .measured("limits-ring-cached", perf::Test::bandwidth, 4096, touch, 13)
            .measured("limits-ring-rep", perf::Test::bandwidth, 4096, touch, 14)
            .measured("unix", perf::Test::rate, 8, touch, 0.8);
    }
    return made;
}

TEST(LabReport, JsonHoldsEverySampleAndBothRegimes) {
    MadeUp made = a_run();
    const auto json = json_of(*made);
    EXPECT_EQ(json.at("commit"), "0123456789ab");
    EXPECT_EQ(json.at("main_regime"), "near");
    EXPECT_EQ(json.at("cells").size(), made->cells.size());
    const auto& cell = json.at("cells").at(1);
    EXPECT_EQ(cell.at("contestant"), "unix");
    EXPECT_EQ(cell.at("samples").size(), 6u);
    EXPECT_EQ(cell.at("regimes").at("near").at("median"), 20000);
    EXPECT_EQ(cell.at("regimes").at("far").at("runs"), 3);
    EXPECT_EQ(cell.at("discarded"), 0);
    EXPECT_TRUE(json.at("goals").at("near").is_array());
    EXPECT_EQ(json.at("bounce_ns").at("near").at("median"), 50.5);
}

TEST(LabReport, ThePageHasATableForEachRegime) {
    MadeUp made = a_run();
    const std::string page = page_of(*made);
    EXPECT_THAT(page, HasSubstr("## The near regime"));
    EXPECT_THAT(page, HasSubstr("## The far regime"));
    EXPECT_LT(page.find("## The near regime"), page.find("## The far regime"));
    EXPECT_THAT(page, HasSubstr("| **Causeway adapter, send** | 2500 |"));
    EXPECT_THAT(page, HasSubstr("| *best hand-made ring* | 14.0 |"));
    EXPECT_THAT(page, HasSubstr("| Unix socket | 20000 |"));
    EXPECT_THAT(page, Not(HasSubstr("| pipe |")));
}

TEST(LabReport, FewSamplesAreMarkedAndGapsExplained) {
    MadeUp made = a_run();
    made->cells.front().samples.pop_back();
    made->absent.back() = "it was not built";
    made->remarks = {"a remark"};
    made.cell("tcp", {perf::Test::rate, 8, Waiting::spin}, Touch::read).missing = "it fell over";
    const std::string page = page_of(*made);
    EXPECT_THAT(page, HasSubstr("| 2500\\* |"));
    EXPECT_THAT(page, HasSubstr("was not measured: it was not built."));
    EXPECT_THAT(page, HasSubstr("TCP loopback, rate 8 B, read: it fell over."));
    EXPECT_THAT(page, HasSubstr("- a remark."));
}

TEST(LabReport, ThePictureShowsWhatWasMeasured) {
    MadeUp made = a_run();
    const std::string picture = picture_of(*made);
    EXPECT_THAT(picture, ::testing::StartsWith("<svg "));
    EXPECT_THAT(picture, ::testing::EndsWith("</svg>\n"));
    EXPECT_THAT(picture, HasSubstr(">Causeway adapter<"));
    EXPECT_THAT(picture, HasSubstr(">Unix socket<"));
    EXPECT_THAT(picture, Not(HasSubstr(">ZeroMQ ipc<")));
    EXPECT_THAT(picture, Not(HasSubstr("nan")));
    EXPECT_THAT(picture, Not(HasSubstr("inf")));
}

TEST(LabReport, NothingMeasuredIsStillAReport) {
    MadeUp made;
    EXPECT_TRUE(json_of(*made).at("cells").empty());
    EXPECT_THAT(page_of(*made), HasSubstr("0 samples"));
    EXPECT_THAT(picture_of(*made), HasSubstr("not measured"));
}

TEST(LabReport, SizesAreWrittenShort) {
    EXPECT_EQ(size_text(8), "8 B");
    EXPECT_EQ(size_text(4096), "4 KiB");
    EXPECT_EQ(size_text(65536), "64 KiB");
    EXPECT_EQ(size_text(std::uint64_t{64} << 20), "64 MiB");
    EXPECT_EQ(size_text(1000), "1000 B");
    EXPECT_EQ(size_text(70001), "68.4 KiB");
}

}  // namespace
}  // namespace causeway::bench
