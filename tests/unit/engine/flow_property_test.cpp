// Random operations in both directions against a model that knows only bytes and rules: after each
// one, every byte of every region and every completion must be as the model says.
#include <gtest/gtest.h>

#include <cstring>
#include <deque>
#include <vector>

#include "unit/engine/flow_expect.hpp"
#include "unit/engine/flow_model.hpp"

namespace causeway::test {
namespace {

namespace flag = abi::descriptor_flag;
using abi::Opcode;
using abi::Status;

constexpr std::uint64_t kSizes[] = {1, 100, 4096, 5000, 70'000, 140'000};
constexpr std::uint32_t kWriters[2] = {0x00'00a7, 0xfe'd00d01};  // by side; the second is cut

class Player {
public:
    explicit Player(std::uint64_t seed) : random_(seed) {
        for (int side = 0; side < 2; ++side) {
            TestPartition& partition = side == 0 ? *pair_.pa : *pair_.pb;
            for (const std::uint64_t size : kSizes)
                add(partition, model_[side], size);
            model_[side].writer = kWriters[side];
        }
        pair_.a.endpoint.number = kWriters[0];
        pair_.b.endpoint.number = kWriters[1];
    }

    void play(int operations) {
        for (int i = 0; i < operations; ++i) {
            const int side = static_cast<int>(random_.below(2));
            TestEnd& from = side == 0 ? pair_.a : pair_.b;
            TestEnd& to = side == 0 ? pair_.b : pair_.a;
            engine::Flow& flow = side == 0 ? pair_.ab : pair_.ba;
            pair_.context.piece = random_.pick({64UL, 1000UL, 4096UL, 256UL << 10});
            const std::uint64_t edges[] = {0, 33, 1000, 50'000, UINT64_MAX};
            pair_.context.copies = copies_by_size(random_.pick(edges), random_.pick(edges));
            if (random_.one_in(3) && to.receives.produced() - received_[1 - side] < 3) {
                const auto list = segments(model_[1 - side]);
                model_[1 - side].receives.push_back(list);
                Post receive{.opcode = Opcode::receive, .segments = list, .flags = 0};
                descriptors_[1 - side].push_back(receive.build().size());
                to.post(receive);
            }
            if (random_.one_in(200))
                replace_region(side);
            const Post post = make_post(side);
            const Expected expected = execute(model_[side], model_[1 - side], post);
            from.post(post);
            engine::Step step = engine::Step::progress;
            while (step == engine::Step::progress || step == engine::Step::waits_lock)
                step = flow.step(pair_.context);
            ASSERT_NO_FATAL_FAILURE(check(post, expected, side, from, to)) << "operation " << i;
        }
        EXPECT_TRUE(pair_.intact());
        for (int status = 0; status < abi::kStatusCount; ++status) {
            const auto s = static_cast<Status>(status);
            const bool can = s != Status::local_length && s != Status::bad_descriptor &&
                             s != Status::flushed && s != Status::peer_gone && s != Status::denied;
            EXPECT_EQ(seen_[status] != 0, can) << "status " << status;
        }
        EXPECT_NE(appends_[0], 0) << "no Append of bare bytes succeeded";
        EXPECT_NE(appends_[1], 0) << "no Append of a record succeeded";
    }

private:
    void add(TestPartition& partition, ModelPartition& model, std::uint64_t size) {
        const std::uint64_t addresses[] = {0, 0x10000, 0x7fff'ffff'f001, UINT64_MAX - size + 1};
        const auto rights = static_cast<std::uint32_t>(random_.below(16) | random_.below(2) * 7);
        std::uint64_t address = random_.pick(addresses);
        if (framed(rights)) {  // of whole words, as real regions are of whole pages
            size = (size + 7) & ~std::uint64_t{7};
            address = std::min(address, UINT64_MAX - size + 1);
        }
        const TestRegion& real = partition.add(size, rights, address);
        if (!framed(rights))  // a log begins as zeros
            random_.fill(real.area.bytes());
        model.regions.push_back({&real, {real.area.data(), real.area.data() + size}});
    }
    void replace_region(int side) {
        ModelPartition& model = model_[side];
        TestPartition& partition = side == 0 ? *pair_.pa : *pair_.pb;
        auto& victim = model.regions[random_.below(model.regions.size())];
        if (victim.removed)
            return;
        partition.remove(*victim.real);
        victim.removed = true;
        add(partition, model, victim.bytes.size());
    }

    // Somewhere in a region of `model`, mostly inside it.
    abi::DataSegment segment(ModelPartition& model) {
        const auto& entry = model.regions[random_.below(model.regions.size())];
        const std::uint64_t size = entry.bytes.size();
        std::uint64_t offset = random_.below(size + 1);
        const std::uint64_t cap = random_.pick({8UL, 33UL, 4097UL, 150'000UL});
        std::uint64_t length = random_.below(std::min(size - offset, cap) + 1);
        if (random_.one_in(60))
            ++offset;
        if (random_.one_in(60))
            length = size - offset + 1;
        if (random_.one_in(200))
            offset = random_.next();
        abi::DataSegment s = entry.real->segment(offset, length);
        if (random_.one_in(200))
            s.handle ^= 1U << random_.below(32);
        return s;
    }
    std::vector<abi::DataSegment> segments(ModelPartition& model) {
        std::vector<abi::DataSegment> list(random_.one_in(8) ? random_.below(33)
                                                             : random_.below(4));
        for (auto& s : list)
            s = segment(model);
        return list;
    }
    Post make_post(int side) {
        constexpr Opcode kOpcodes[] = {Opcode::send, Opcode::write, Opcode::read, Opcode::append};
        Post post{.opcode = random_.pick(kOpcodes), .segments = {}};
        if (post.opcode != Opcode::read && random_.one_in(6)) {
            post.flags |= flag::kInline;
            post.payload.resize(random_.below(33));
            for (auto& byte : post.payload)
                byte = static_cast<std::uint8_t>(random_.next());
        } else {
            post.segments = segments(model_[side]);
        }
        if ((post.opcode == Opcode::send || post.opcode == Opcode::write) && random_.one_in(4)) {
            post.flags |= flag::kImmediate;
            post.immediate = static_cast<std::uint32_t>(random_.next());
        }
        if (post.opcode != Opcode::send) {
            auto& regions = model_[1 - side].regions;
            const auto& entry = regions[random_.below(regions.size())];
            const std::uint64_t n = total(post.segments) + post.payload.size();
            const std::uint64_t size = entry.bytes.size();
            post.remote = entry.real->remote(random_.below(size >= n ? size - n + 2 : size));
            if (random_.one_in(50))
                post.remote.generation ^= 1;
            if (random_.one_in(50))
                post.remote.address = random_.next();
        }
        return post;
    }

    void check(const Post& post, const Expected& expected, int side, TestEnd& from, TestEnd& to) {
        const auto sent = from.take_send();
        ASSERT_EQ(status_of(sent), expected.sender);
        ASSERT_EQ(opcode_of(sent), post.opcode);
        ASSERT_EQ(sent->length, expected.length);
        ASSERT_EQ(sent->sequence, sequence_[side]);
        if (post.opcode == Opcode::append && expected.sender == Status::success) {
            ASSERT_EQ(sent->offset, expected.offset);
            const auto* entry = model_[1 - side].find(post.remote.handle);
            ++appends_[framed(entry->real->region.rights) ? 1 : 0];
        }
        ASSERT_FALSE(from.take_send().has_value());
        ++seen_[static_cast<int>(expected.sender)];
        const auto received = to.take_receive();
        ASSERT_EQ(received.has_value(), expected.receiver_hears);
        if (received) {
            ASSERT_EQ(status_of(received), expected.receiver);
            ASSERT_EQ(received->sequence, sequence_[side]);
            ASSERT_EQ(received->slot, received_[1 - side] % 64U);
            received_[1 - side] += descriptors_[1 - side].front();
            descriptors_[1 - side].pop_front();
            if (expected.receiver == Status::success) {
                ASSERT_EQ(received->length, expected.length);
                const bool immediate = (post.flags & flag::kImmediate) != 0;
                ASSERT_EQ((received->flags & abi::completion_flag::kImmediate) != 0, immediate);
                ASSERT_EQ(received->immediate, post.immediate);
                ASSERT_NO_FATAL_FAILURE(check_payload(post, *received, side));
            }
        }
        sequence_[side] += post.build().size();
        for (int s = 0; s < 2; ++s) {
            for (const auto& entry : model_[s].regions) {
                ASSERT_TRUE(same(entry.real->area.bytes(), entry.bytes)) << "side " << s;
                ASSERT_EQ(entry.real->region.append_offset.load(), entry.append_offset);
                ASSERT_EQ(entry.real->region.append_lock.load(), 0U);
            }
        }
    }
    void check_payload(const Post& post, const abi::Completion& received, int side) {
        const bool small = post.opcode == Opcode::send && received.length <= abi::kMaxInline;
        ASSERT_EQ((received.flags & abi::completion_flag::kPayload) != 0, small);
        if (!small)
            return;
        // What stands behind the message is from the lap before.
        std::vector<std::byte> wanted = model_[side].gather(post.segments);
        if (!post.payload.empty()) {
            wanted.resize(post.payload.size());
            std::memcpy(wanted.data(), post.payload.data(), post.payload.size());
        }
        ASSERT_EQ(wanted.size(), received.length);
        ASSERT_TRUE(
            same(std::as_bytes(std::span(received.payload)).first(received.length), wanted));
    }

    Random random_;
    TestPair pair_{{abi::Patience::error, 0}, {64, 64, 64, 64}};
    ModelPartition model_[2];
    std::uint64_t sequence_[2] = {0, 0};
    std::uint64_t received_[2] = {0, 0};  // receive descriptors consumed, by receiving side
    std::deque<std::size_t> descriptors_[2];
    int seen_[abi::kStatusCount] = {};
    int appends_[2] = {0, 0};  // that succeeded: of bare bytes, of records
};

class FlowProperty : public testing::TestWithParam<std::uint64_t> {};
INSTANTIATE_TEST_SUITE_P(Seeds, FlowProperty, testing::Range<std::uint64_t>(1, 9));

TEST_P(FlowProperty, MatchesTheModel) {
    Player player(GetParam());
    player.play(800);
}

}  // namespace
}  // namespace causeway::test
