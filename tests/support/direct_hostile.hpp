// What every attack by a granted peer takes place in: an adapter, a victim that the attacker is
// connected with by executor direct, and two other peers of that same victim, who must not notice:
// one by executor direct, one by executor adapter.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "support/direct_victim.hpp"
#include "support/in_process_adapter.hpp"
#include "support/live_adapter.hpp"
#include "support/own_holdings.hpp"
#include "support/random.hpp"
#include "support/raw_direct.hpp"

namespace causeway::test {

class DirectHostile : public testing::Test {
protected:
    static constexpr abi::QueuePairShape kShape{4, 4, 4, 4};
    static constexpr std::uint64_t kRegion = 256 << 10;
    static constexpr std::uint32_t kEverything =
        abi::right::kRemoteWrite | abi::right::kRemoteRead | abi::right::kExportable;

    void SetUp() override {
        adapter = std::make_unique<LiveAdapter>(LiveAdapter::Kind::forked);
        before = adapter->settled();
        files = open_files();
        mappings = shared_mappings();
        victim = std::make_unique<DirectVictim>(adapter->socket());
        by_direct = std::make_unique<DirectFriend>(adapter->socket(), "friend", "direct");
        by_adapter = std::make_unique<DirectFriend>(adapter->socket(), "stranger", "adapter");
        attacker = std::make_unique<RawPeer>(adapter->socket(), "attacker");
        region = attacker->allocate(kRegion, kEverything);
        log = attacker->allocate(kRegion, abi::right::kAppend | abi::right::kExportable);
    }
    // After every attack: the others were not harmed, and nothing of anybody remains.
    void TearDown() override {
        if (attacker == nullptr)
            return;
        expect_undisturbed();
        direct = {};
        pair = {};
        region = {};
        log = {};
        attacker.reset();
        expect_undisturbed();
        by_direct.reset();
        by_adapter.reset();
        victim.reset();
        const Holdings after = adapter->settled_to(before);
        EXPECT_EQ(after, before) << text_of(after) << " now, before " << text_of(before);
        EXPECT_EQ(adapter->stop(), 0);
        EXPECT_EQ(open_files(), files);
        EXPECT_EQ(shared_mappings(), mappings);
    }
    void expect_undisturbed(std::uint64_t rounds = 5) {
        EXPECT_TRUE(adapter->alive());
        if (by_direct != nullptr) {
            EXPECT_TRUE(by_direct->go_on(rounds)) << by_direct->trouble();
        }
        EXPECT_TRUE(by_adapter->go_on(rounds)) << by_adapter->trouble();
        EXPECT_EQ(victim->check(), "");
    }

    // A new connection to the victim; what was there before is given up.
    void renew() {
        direct = {};
        if (pair.memory.valid())
            attacker->disconnect(pair);
        pair = attacker->create_pair(kShape);
        if (!attacker->connect(pair, "victim/door", abi::Executor::direct))
            throw std::runtime_error("the victim does not accept");
        direct = RawDirect(*attacker, pair);
        direct.begin();
        victim->aim(place(region, 64 << 10));
        ++connections;
    }
    // What one turn of an honest peer is: a message there, and room for messages back.
    void converse(std::uint64_t n) {
        if (n % 2 == 0) {
            const std::uint64_t greeting = n;
            (void)direct.send_small(std::as_bytes(std::span(&greeting, 1)));
        }
        (void)direct.post_receive(region.piece(n % 4 * 16384, 16384));
        direct.ring();
    }
    // Gives the victim a moment with what stands there now; whether the connection still lives.
    bool linger() {
        for (int i = 0; i < 20 && !pair.ended(); ++i) {
            if (direct.take_receives() != 0)
                return true;
            std::this_thread::yield();
        }
        return !pair.ended();
    }
    // Whether turn `n` of an attack is due: the first `least` are, and then as many as it takes
    // until the attack has reached the victim (a minute is the watchdog).
    template<typename F>
    [[nodiscard]] bool due(std::uint64_t n, std::uint64_t least, F&& reached) {
        const auto now = std::chrono::steady_clock::now();
        if (n <= least)
            give_up_ = now + std::chrono::minutes(1);
        return n < least || (!reached() && now < give_up_);
    }
    // Until the victim has done `wanted` more of what `count` says; false after a minute.
    template<typename F>
    [[nodiscard]] bool awaits(F&& count, std::uint64_t wanted = 1) {
        const std::uint64_t from = count();
        return eventually([&] { return count() >= from + wanted; }, std::chrono::seconds(60));
    }
    [[nodiscard]] static Remote place(const RawRegion& where, std::uint64_t offset) {
        return {where.handle, where.generation, where.address() + offset};
    }
    // Bytes that the victim may look at in the same moment.
    static void flip(std::byte& byte, std::uint8_t mask) {
        __atomic_fetch_xor(reinterpret_cast<std::uint8_t*>(&byte), mask, __ATOMIC_RELAXED);
    }
    static void put(std::byte& byte, std::uint8_t value) {
        __atomic_store_n(reinterpret_cast<std::uint8_t*>(&byte), value, __ATOMIC_RELAXED);
    }

    std::unique_ptr<LiveAdapter> adapter;
    Holdings before;
    std::size_t files = 0;
    std::size_t mappings = 0;
    std::unique_ptr<DirectVictim> victim;
    std::unique_ptr<DirectFriend> by_direct, by_adapter;
    std::unique_ptr<RawPeer> attacker;
    RawRegion region, log;
    RawPair pair;
    RawDirect direct;
    std::uint64_t connections = 0;

private:
    std::chrono::steady_clock::time_point give_up_;
};

}  // namespace causeway::test
