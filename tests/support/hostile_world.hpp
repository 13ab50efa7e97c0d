// What every data-plane attack takes place in: an adapter, two bystanders that must not notice, a
// victim that the attacker is connected with, and the attacker.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "support/bystanders.hpp"
#include "support/live_adapter.hpp"
#include "support/random.hpp"
#include "support/raw_peer.hpp"
#include "support/victim.hpp"

namespace causeway::test {

inline constexpr abi::QueuePairShape kSmallShape{4, 4, 4, 4};

class DataHostile : public testing::Test {
protected:
    void SetUp() override {
        adapter = std::make_unique<LiveAdapter>(LiveAdapter::Kind::forked);
        bystanders = std::make_unique<Bystanders>(adapter->socket());
        before = adapter->settled();
        victim = std::make_unique<Victim>(adapter->socket());
        attacker = std::make_unique<RawPeer>(adapter->socket(), "attacker");
    }
    // After every attack: the others were not harmed, and nothing of the attacker remains.
    void TearDown() override {
        if (attacker == nullptr)
            return;
        EXPECT_TRUE(bystanders->go_on()) << bystanders->trouble();
        EXPECT_EQ(victim->check(), "");
        EXPECT_TRUE(adapter->alive());
        attacker.reset();
        victim.reset();
        const Holdings after = adapter->settled_to(before);
        EXPECT_EQ(after, before) << text_of(after) << " now, before " << text_of(before);
        EXPECT_TRUE(bystanders->go_on()) << bystanders->trouble();
        bystanders->stop();
        EXPECT_EQ(adapter->stop(), 0);
    }

    // A queue pair of the attacker's, connected to the victim.
    [[nodiscard]] RawPair connected(const abi::QueuePairShape& shape = kSmallShape) {
        RawPair pair = attacker->create_pair(shape);
        if (!attacker->connect(pair, "victim/door"))
            throw std::runtime_error("the victim does not accept");
        return pair;
    }

    std::unique_ptr<LiveAdapter> adapter;
    std::unique_ptr<Bystanders> bystanders;
    Holdings before;
    std::unique_ptr<Victim> victim;
    std::unique_ptr<RawPeer> attacker;
};

}  // namespace causeway::test
