#include "adapter/own_figures.hpp"

#include <gtest/gtest.h>

namespace causeway::adapter {
namespace {

TEST(OwnFigures, AreThoseOfThisProcess) {
    OwnFigures figures;
    EXPECT_GE(figures.get().open_files, 3u);
    EXPECT_GE(figures.get().mappings, 10u);
}

TEST(OwnFigures, LookingTakesATwentiethOfTheTime) {
    std::uint64_t now = 1000;
    std::uint64_t took = 0;
    std::uint64_t looks = 0;
    OwnFigures figures([&] { return now; },
                       [&] {
                           now += 50;
                           took += 50;
                           return OwnFigures::Figures{++looks, 0};
                       });
    const std::uint64_t begin = now;
    EXPECT_EQ(figures.get().open_files, 1u);
    EXPECT_EQ(figures.get().open_files, 1u) << "asked again at once";
    while (now < begin + 1'000'000) {
        now += 1;
        (void)figures.get();
    }
    EXPECT_LE(took * 20, now - begin + 20 * 50);
    EXPECT_GE(took * 25, now - begin) << "nor are they left to grow old";
}

}  // namespace
}  // namespace causeway::adapter
