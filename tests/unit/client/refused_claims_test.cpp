// What a peer claimed and could not be had.
#include "client/refused_claims.hpp"

#include <gtest/gtest.h>

namespace causeway::client {
namespace {

constexpr std::uint64_t kNow = 1'000'000;

TEST(RefusedClaims, NothingIsRefusedThatWasNotAskedFor) {
    const RefusedClaims claims;
    EXPECT_FALSE(claims.holds(0, kNow));
    EXPECT_FALSE(claims.holds(7, kNow));
}

TEST(RefusedClaims, ALastingRefusalStands) {
    RefusedClaims claims;
    EXPECT_TRUE(claims.note(7, Refusal::lasting, kNow));
    EXPECT_TRUE(claims.holds(7, kNow));
    EXPECT_TRUE(claims.holds(7, kNow + 100 * RefusedClaims::kForgetNs));
    EXPECT_FALSE(claims.holds(8, kNow));
}

TEST(RefusedClaims, APassingRefusalIsAskedAboutAgain) {
    RefusedClaims claims;
    EXPECT_TRUE(claims.note(7, Refusal::passing, kNow));
    EXPECT_TRUE(claims.holds(7, kNow + RefusedClaims::kRetryNs - 1));
    EXPECT_FALSE(claims.holds(7, kNow + RefusedClaims::kRetryNs));
    EXPECT_TRUE(claims.note(7, Refusal::lasting, kNow + RefusedClaims::kRetryNs));
    EXPECT_TRUE(claims.holds(7, kNow + 2 * RefusedClaims::kRetryNs));
}

TEST(RefusedClaims, TooManyAreTooMany) {
    RefusedClaims claims;
    for (std::uint32_t i = 0; i < RefusedClaims::kMost; ++i)
        ASSERT_TRUE(claims.note(100 + i, Refusal::lasting, kNow + i));
    EXPECT_TRUE(claims.note(100, Refusal::lasting, kNow + 50)) << "the same one is not one more";
    EXPECT_FALSE(claims.note(1, Refusal::lasting, kNow + 60));
    EXPECT_FALSE(claims.holds(1, kNow + 60));
    // After a while some are forgotten, and as many more may come.
    const std::uint64_t later = kNow + RefusedClaims::kForgetNs + 10;
    std::uint32_t more = 0;
    while (claims.note(1000 + more, Refusal::lasting, later))
        ++more;
    EXPECT_EQ(more, 10u);  // those of kNow + 1 to kNow + 10
    EXPECT_TRUE(claims.holds(1000, later));
    EXPECT_TRUE(claims.holds(100, later)) << "it was asked about last at kNow + 50";
    EXPECT_FALSE(claims.holds(101, later));
}

}  // namespace
}  // namespace causeway::client
