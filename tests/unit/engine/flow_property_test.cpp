// Random operations in both directions against a model that knows only bytes and rules: after each
// one, every byte of every region and every completion must be as the model says.
#include <causeway/abi/append_log.hpp>

#include <gtest/gtest.h>

#include <cstring>
#include <deque>
#include <vector>

#include "unit/engine/flow_expect.hpp"

namespace causeway::test {
namespace {

namespace flag = abi::descriptor_flag;
using abi::Opcode;
using abi::Status;

constexpr std::uint64_t kSizes[] = {1, 100, 4096, 5000, 70'000, 140'000};
constexpr std::uint32_t kWriters[2] = {0x00'00a7, 0xfe'd00d01};  // by side; the second is cut

// Does an Append into it make a record (abi/append_log.hpp)?
bool framed(std::uint32_t rights) {
    constexpr std::uint32_t both = abi::right::kAppend | abi::right::kExportable;
    return (rights & both) == both;
}

struct Expected {
    Status sender = Status::success;
    bool receiver_hears = false;
    Status receiver = Status::success;
    std::uint64_t length = 0;
    std::uint64_t offset = 0;  // Append
};

// One partition as the model knows it.
struct ModelPartition {
    struct Entry {
        const TestRegion* real;
        std::vector<std::byte> bytes;
        std::uint64_t append_offset = 0;  // of records: where one begins, or the log ends
        bool removed = false;

        [[nodiscard]] std::uint64_t word(std::uint64_t offset) const {
            std::uint64_t value = 0;
            std::memcpy(&value, bytes.data() + offset, sizeof value);
            return value;
        }
        // The records from append_offset on are passed over; false if there is no room behind
        // them for one of `length` bytes. What stands there need not be records: any operation
        // may have written into the region.
        bool find_room(std::uint64_t length) {
            while (abi::record_size(length) <= bytes.size() &&
                   append_offset <= bytes.size() - abi::record_size(length)) {
                const std::uint64_t header = word(append_offset);
                if (header == 0)
                    return true;
                const std::uint64_t taken = abi::record_size(abi::record_length(header));
                if (taken > bytes.size() - append_offset)
                    return false;
                append_offset += taken;
            }
            return false;
        }
        void write_record(const std::vector<std::byte>& data, std::uint32_t writer) {
            const std::uint64_t header = abi::record_header(static_cast<std::uint32_t>(data.size()),
                                                            writer, abi::RecordState::committed);
            std::memcpy(bytes.data() + append_offset, &header, sizeof header);
            std::copy(data.begin(), data.end(),
                      bytes.begin() + static_cast<std::ptrdiff_t>(append_offset + sizeof header));
            append_offset += abi::record_size(data.size());
        }
    };
    std::uint32_t writer = 0;
    std::vector<Entry> regions;
    std::deque<std::vector<abi::DataSegment>> receives;

    Entry* find(std::uint32_t handle) {
        for (Entry& entry : regions) {
            if (!entry.removed && entry.real->region.handle == handle)
                return &entry;
        }
        return nullptr;
    }
    // Where `segment` begins, or null if it is not wholly inside a region.
    std::byte* at(const abi::DataSegment& segment) {
        Entry* entry = find(segment.handle);
        if (entry == nullptr)
            return nullptr;
        const std::uint64_t offset = segment.address - entry->real->region.address;
        if (offset > entry->bytes.size() || segment.length > entry->bytes.size() - offset) {
            return nullptr;
        }
        return entry->bytes.data() + offset;
    }
    bool valid(const std::vector<abi::DataSegment>& list) {
        for (const auto& segment : list) {
            if (segment.length != 0 && at(segment) == nullptr)
                return false;
        }
        return true;
    }
    std::vector<std::byte> gather(const std::vector<abi::DataSegment>& list) {
        std::vector<std::byte> bytes;
        for (const auto& segment : list) {
            const std::byte* from = at(segment);
            if (segment.length != 0)
                bytes.insert(bytes.end(), from, from + segment.length);
        }
        return bytes;
    }
    void scatter(const std::vector<abi::DataSegment>& list, const std::vector<std::byte>& bytes) {
        std::size_t done = 0;
        for (const auto& segment : list) {
            const std::size_t n = std::min<std::size_t>(segment.length, bytes.size() - done);
            if (n == 0)
                continue;
            std::memcpy(at(segment), bytes.data() + done, n);
            done += n;
        }
    }
};

std::uint64_t total(const std::vector<abi::DataSegment>& list) {
    std::uint64_t sum = 0;
    for (const auto& segment : list)
        sum += segment.length;
    return sum;
}

// What executing `post` from `from` to `to` does, by the rules.
Expected execute(ModelPartition& from, ModelPartition& to, const Post& post) {
    Expected e;
    const bool in_line = (post.flags & flag::kInline) != 0;
    e.length = in_line ? post.payload.size() : total(post.segments);
    const auto fails = [&](Status status) {
        e.sender = status;
        e.length = 0;
        return e;
    };
    if (!in_line && !from.valid(post.segments))
        return fails(Status::local_protection);
    const auto message = [&] {
        if (!in_line)
            return from.gather(post.segments);
        const auto bytes = std::as_bytes(std::span(post.payload));
        return std::vector<std::byte>(bytes.begin(), bytes.end());
    };
    ModelPartition::Entry* region = nullptr;
    std::byte* remote = nullptr;
    if (post.opcode != Opcode::send) {
        region = to.find(post.remote.handle);
        const std::uint32_t right = post.opcode == Opcode::write  ? abi::right::kRemoteWrite
                                    : post.opcode == Opcode::read ? abi::right::kRemoteRead
                                                                  : abi::right::kAppend;
        if (region == nullptr || region->real->region.generation != post.remote.generation ||
            (region->real->region.rights & right) == 0) {
            return fails(Status::remote_access);
        }
        if (post.opcode == Opcode::append && framed(region->real->region.rights)) {
            if (!region->find_room(e.length))
                return fails(Status::remote_length);
            e.offset = region->append_offset + abi::kRecordHeader;
            region->write_record(message(), from.writer);
            return e;
        }
        if (post.opcode == Opcode::append) {
            e.offset = region->append_offset;
            if (e.offset + e.length > region->bytes.size())
                return fails(Status::remote_length);
            remote = region->bytes.data() + e.offset;
        } else {
            remote = to.at(
                {static_cast<std::uint32_t>(e.length), post.remote.handle, post.remote.address});
            if (remote == nullptr)
                return fails(Status::remote_access);
        }
    }
    if (post.opcode == Opcode::send || (post.flags & flag::kImmediate) != 0) {
        if (to.receives.empty())
            return fails(Status::receiver_not_ready);
        const auto list = to.receives.front();
        if (post.opcode == Opcode::send) {
            const bool fits = e.length <= total(list);
            const bool placed_here = e.length > abi::kMaxInline;
            if (!fits || (placed_here && !to.valid(list))) {
                e.receiver = fits ? Status::local_protection : Status::local_length;
                e.receiver_hears = true;
                to.receives.pop_front();
                return fails(fits ? Status::remote_access : Status::remote_length);
            }
            if (placed_here)
                to.scatter(list, message());
        }
        to.receives.pop_front();
        e.receiver_hears = true;
    }
    const auto bytes = post.opcode == Opcode::read ? std::vector<std::byte>{} : message();
    switch (post.opcode) {
        case Opcode::read:
            from.scatter(post.segments, {remote, remote + e.length});
            break;
        case Opcode::append:
            region->append_offset += e.length;
            [[fallthrough]];
        case Opcode::write:
            if (!bytes.empty())
                std::memcpy(remote, bytes.data(), bytes.size());
            break;
        default:
            break;
    }
    return e;
}

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
