#include "engine/region_table.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <memory>
#include <set>
#include <thread>
#include <vector>

namespace causeway::test {
namespace {

using engine::Region;
using engine::RegionTable;
using engine::Translation;

constexpr std::uint32_t kGeneration = 77;

std::unique_ptr<Region> region(std::uint64_t address, std::uint64_t length,
                               std::uint32_t rights = 0) {
    auto r = std::make_unique<Region>();
    r->address = address;
    r->length = length;
    r->rights = rights;
    r->generation = kGeneration;
    r->base = reinterpret_cast<std::byte*>(0x1000);  // never followed here
    return r;
}

bool local(const RegionTable& table, std::uint32_t handle, std::uint64_t address,
           std::uint64_t length) {
    Translation out;
    if (!table.translate_local(handle, address, length, out))
        return false;
    const auto offset = reinterpret_cast<std::uintptr_t>(out.bytes) - 0x1000;
    EXPECT_EQ(offset, address - out.region->address);
    EXPECT_LE(offset, out.region->length);
    EXPECT_LE(length, out.region->length - offset);
    return true;
}

TEST(RegionTable, TranslatesExactlyTheRegion) {
    RegionTable table;
    const auto r = region(0x7000, 100);
    const std::uint32_t h = table.insert(*r).value();
    EXPECT_TRUE(local(table, h, 0x7000, 100));
    EXPECT_TRUE(local(table, h, 0x7000 + 99, 1));
    EXPECT_TRUE(local(table, h, 0x7000 + 100, 0));
    EXPECT_TRUE(local(table, h, 0x7000, 0));
    EXPECT_FALSE(local(table, h, 0x7000, 101));
    EXPECT_FALSE(local(table, h, 0x7000 + 1, 100));
    EXPECT_FALSE(local(table, h, 0x7000 + 100, 1));
    EXPECT_FALSE(local(table, h, 0x7000 + 101, 0));
    EXPECT_FALSE(local(table, h, 0x7000 - 1, 1));
    EXPECT_FALSE(local(table, h, 0x7000 - 1, 0));
    EXPECT_FALSE(local(table, h, 0, 0));
}

// Sizes, addresses and lengths around every power of two at which 32 or 64 bits wrap.
TEST(RegionTable, ComputesRightAtTheEdgesOfTheNumbers) {
    constexpr std::uint64_t kEdges[] = {0,
                                        1,
                                        4095,
                                        4096,
                                        (1ULL << 31) - 1,
                                        1ULL << 31,
                                        (1ULL << 32) - 1,
                                        1ULL << 32,
                                        (1ULL << 32) + 1,
                                        (1ULL << 40) - 1,
                                        1ULL << 40,
                                        (1ULL << 63) - 1,
                                        1ULL << 63,
                                        UINT64_MAX - 4096,
                                        UINT64_MAX - 1,
                                        UINT64_MAX};
    for (const std::uint64_t base : kEdges) {
        for (const std::uint64_t size : kEdges) {
            if (size > abi::kMaxRegion)
                continue;  // there are no such regions
            RegionTable table;
            const auto r = region(base, size);
            const std::uint32_t h = table.insert(*r).value();
            for (const std::uint64_t offset : kEdges) {
                for (const std::uint64_t length : kEdges) {
                    // The model: 128 bits do not wrap; the address itself counts modulo 2^64.
                    __extension__ using Wide = unsigned __int128;
                    const bool inside = Wide{offset} + Wide{length} <= Wide{size};
                    Translation out;
                    ASSERT_EQ(table.translate_local(h, base + offset, length, out), inside)
                        << base << " " << size << " " << offset << " " << length;
                    ASSERT_TRUE(!inside || out.bytes == r->base + offset);
                }
            }
        }
    }
}

TEST(RegionTable, KnowsNoOtherHandles) {
    RegionTable table;
    const auto r = region(0, 4096);
    const std::uint32_t h = table.insert(*r).value();
    EXPECT_NE(h, 0U);
    std::uint32_t known = 0;
    for (std::uint32_t low = 0; low <= 0xffff; ++low) {
        for (const std::uint32_t high : {0U, 1U, 0x7fffU, 0x8000U, 0xffffU}) {
            known += table.find(high << 16 | low) != nullptr ? 1 : 0;
        }
    }
    EXPECT_EQ(known, 1U);
    EXPECT_EQ(table.find(h), r.get());
}

TEST(RegionTable, RemoteNeedsGenerationAndEveryRight) {
    RegionTable table;
    const auto r = region(0x1000, 4096, abi::right::kRemoteWrite | abi::right::kAppend);
    const std::uint32_t h = table.insert(*r).value();
    Translation out;
    const auto may = [&](std::uint32_t generation, std::uint32_t rights) {
        return table.translate_remote({h, generation, 0x1000}, 16, rights, out);
    };
    EXPECT_TRUE(may(kGeneration, abi::right::kRemoteWrite));
    EXPECT_TRUE(may(kGeneration, abi::right::kAppend));
    EXPECT_TRUE(may(kGeneration, abi::right::kRemoteWrite | abi::right::kAppend));
    EXPECT_FALSE(may(kGeneration, abi::right::kRemoteRead));
    EXPECT_FALSE(may(kGeneration, abi::right::kRemoteWrite | abi::right::kRemoteRead));
    EXPECT_FALSE(may(kGeneration + 1, abi::right::kRemoteWrite));
    EXPECT_FALSE(may(0, abi::right::kRemoteWrite));
    EXPECT_FALSE(
        table.translate_remote({h, kGeneration, 0x1000}, 4097, abi::right::kRemoteWrite, out));
    EXPECT_FALSE(table.translate_remote({h, kGeneration, 0xfff}, 1, abi::right::kRemoteWrite, out));
    EXPECT_EQ(table.find_remote({h, kGeneration, 12345}, abi::right::kAppend), r.get());
    EXPECT_EQ(table.find_remote({h, kGeneration + 1, 0}, abi::right::kAppend), nullptr);
    EXPECT_EQ(table.find_remote({h, kGeneration, 0}, abi::right::kRemoteRead), nullptr);
}

TEST(RegionTable, RemovedHandleStaysDead) {
    RegionTable table;
    std::set<std::uint32_t> dead;
    const auto r = region(0, 64);
    // More than once around all slots, so that slots are used again.
    for (std::uint32_t i = 0; i < RegionTable::kSlots * 3; ++i) {
        const std::uint32_t h = table.insert(*r).value();
        ASSERT_EQ(table.find(h), r.get());
        table.remove(*r);
        ASSERT_EQ(table.find(h), nullptr);
        ASSERT_TRUE(dead.insert(h).second) << "handle " << h << " came back";
    }
    const auto again = region(0, 64);
    const std::uint32_t h = table.insert(*again).value();
    for (const std::uint32_t old : dead)
        ASSERT_EQ(table.find(old), nullptr);
    EXPECT_EQ(table.find(h), again.get());
}

TEST(RegionTable, RemovingWhatIsNotThereChangesNothing) {
    RegionTable table;
    const auto never = region(0, 64);
    table.remove(*never);  // has no handle
    const auto first = region(0, 64);
    const std::uint32_t h = table.insert(*first).value();
    const auto impostor = region(0, 64);
    impostor->handle = h;
    table.remove(*impostor);
    EXPECT_EQ(table.find(h), first.get());
    table.remove(*first);
    table.remove(*first);
    EXPECT_EQ(table.find(h), nullptr);
}

TEST(RegionTable, FullTableRefusesUntilOneGoes) {
    RegionTable table;
    std::deque<std::unique_ptr<Region>> all;
    std::set<std::uint32_t> handles;
    for (std::uint32_t i = 0; i < RegionTable::kSlots; ++i) {
        all.push_back(region(0, 64));
        ASSERT_TRUE(handles.insert(table.insert(*all.back()).value()).second);
    }
    const auto one_more = region(0, 64);
    EXPECT_FALSE(table.insert(*one_more).has_value());
    table.remove(*all[1234]);
    ASSERT_TRUE(table.insert(*one_more).has_value());
    EXPECT_EQ(table.find(all[1234]->handle), nullptr);
    for (std::uint32_t i = 0; i < all.size(); ++i) {
        EXPECT_EQ(table.find(all[i]->handle), i == 1234 ? nullptr : all[i].get());
    }
}

TEST(RegionTable, SlotRetiresAfter65536Uses) {
    RegionTable table;
    std::deque<std::unique_ptr<Region>> others;
    for (std::uint32_t i = 0; i + 1 < RegionTable::kSlots; ++i) {
        others.push_back(region(0, 64));
        ASSERT_TRUE(table.insert(*others.back()).has_value());
    }
    // One slot is left: every insert goes there.
    const auto r = region(0, 64);
    std::uint32_t last = 0;
    for (std::uint32_t use = 0; use < 65536; ++use) {
        const auto h = table.insert(*r);
        ASSERT_TRUE(h.has_value()) << use;
        ASSERT_EQ(*h >> 16, use);
        ASSERT_EQ(table.find(last), nullptr) << use;
        last = *h;
        table.remove(*r);
    }
    EXPECT_FALSE(table.insert(*r).has_value()) << "a retired slot was used again";
    EXPECT_EQ(table.find(last), nullptr);
}

// Translating threads see a region whole or not at all while others come and go in the same slots.
TEST(RegionTable, TranslatesWhileRegionsComeAndGo) {
    RegionTable table;
    const auto stays = region(0, 64);
    const std::uint32_t h = table.insert(*stays).value();
    std::atomic<std::uint32_t> latest{0};
    std::atomic<bool> stop{false};
    std::atomic<std::uint64_t> wrong{0};
    std::atomic<std::uint64_t> hits{0};
    std::thread reader([&] {
        while (!stop.load(std::memory_order_relaxed)) {
            Translation out;
            if (!table.translate_local(h, 0, 64, out) || out.region != stays.get())
                ++wrong;
            const std::uint32_t other = latest.load(std::memory_order_acquire);
            if (other != 0 && table.translate_local(other, 5000, 16, out)) {
                ++hits;
                if (out.region->handle != other || out.region->length != 64)
                    ++wrong;
            }
        }
    });
    // Regions outlive the reader, as the table's header demands.
    std::deque<std::unique_ptr<Region>> all;
    for (std::uint32_t i = 0; i < 20'000 || hits == 0; ++i) {
        all.push_back(region(5000, 64));
        latest.store(table.insert(*all.back()).value(), std::memory_order_release);
        if (i % 64 == 0)
            std::this_thread::yield();
        table.remove(*all.back());
    }
    stop = true;
    reader.join();
    EXPECT_EQ(wrong, 0U);
}

}  // namespace
}  // namespace causeway::test
