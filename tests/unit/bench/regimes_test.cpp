#include "lab/regimes.hpp"

#include <gtest/gtest.h>

namespace causeway::bench {
namespace {

TEST(Regimes, AreToldByTheProbesMean) {
    EXPECT_EQ((Bracket{47, 50}.regime(kNearBelow)), Regime::near);
    EXPECT_EQ((Bracket{250, 260}.regime(kNearBelow)), Regime::far);
    EXPECT_EQ((Bracket{250, 260}.regime(300)), Regime::near);
    EXPECT_EQ((Bracket{kNearBelow, kNearBelow}.regime(kNearBelow)), Regime::far);
}

TEST(Regimes, ASampleWithinWhichTheyChangedIsDiscarded) {
    EXPECT_EQ((Bracket{47, 250}.regime(kNearBelow)), std::nullopt);
    EXPECT_EQ((Bracket{250, 47}.regime(kNearBelow)), std::nullopt);
    EXPECT_EQ((Bracket{50, 60.5}.regime(kNearBelow)), std::nullopt);
    EXPECT_EQ((Bracket{60.5, 50}.regime(kNearBelow)), std::nullopt);
    EXPECT_EQ((Bracket{50, 59.5}.regime(kNearBelow)), Regime::near);
}

}  // namespace
}  // namespace causeway::bench
