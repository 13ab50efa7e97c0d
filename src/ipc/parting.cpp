#include "ipc/parting.hpp"

namespace causeway::ipc::inner {

Result<void> failed_to_meet(const Link& link, const std::string& target) {
    const ErrorCode code = link.ended() ? link.reason() : ErrorCode::adapter_gone;
    if (!link.complaint().empty()) {
        return fail(code, "connecting to " + target + " failed: " + link.complaint());
    }
    switch (code) {
        case ErrorCode::protocol:
            return fail_format(code,
                               "%s does not answer as expected: is it of the same kind (message "
                               "queue, pipe, requests)?",
                               target.c_str());
        case ErrorCode::peer_gone:
            return fail_format(code, "%s went before it answered", target.c_str());
        default:
            return fail_format(code, "connecting to %s failed: %s", target.c_str(),
                               error_name(code));
    }
}

}  // namespace causeway::ipc::inner
