// The fake adapter's named segment: as the test says.
#include <utility>

#include "platform/memfd.hpp"
#include "support/fake_adapter.hpp"

namespace causeway::test {

void FakeAdapter::give_segment(abi::OpenSegmentReply terms, platform::UniqueFd file) {
    const std::lock_guard lock(lock_);
    segment_ = terms;
    segment_file_ = std::move(file);
}

std::vector<abi::CopySegmentRequest> FakeAdapter::copies() {
    const std::lock_guard lock(lock_);
    return copies_;
}

Result<void> FakeAdapter::answer_segment(Session& session, control::IncomingRequest& request) {
    const int fd = session.connection.get();
    switch (static_cast<abi::Request>(request.header.type)) {
        case abi::Request::open_segment: {
            auto reply = segment_;
            reply.header = control::make_reply<abi::OpenSegmentReply>(request.header).header;
            return control::reply(fd, reply, segment_file_.get());
        }
        case abi::Request::copy_segment: {
            CW_TRY_ASSIGN(const auto asked, control::parse<abi::CopySegmentRequest>(request.bytes));
            copies_.push_back(asked);
            break;
        }
        case abi::Request::resume_segment: {
            CW_TRY_ASSIGN(const auto asked, control::parse<abi::SegmentRequest>(request.bytes));
            CW_TRY_ASSIGN(const auto given, platform::file_facts(request.descriptor.get()));
            CW_TRY_ASSIGN(const auto made, platform::file_facts(segment_file_.get()));
            const bool right = given.inode == made.inode;
            handed_over_.push_back("segment " + std::to_string(asked.segment) + (right ? "" : "?"));
            break;
        }
        default:
            break;
    }
    return control::reply_empty(fd, request.header);
}

}  // namespace causeway::test
