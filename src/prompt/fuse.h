// Asking a model to make one answer of several (GenFuser of LLM-Blender, Jiang et al. 2023, arXiv
// 2306.02561).
//
// Called by the strategy blender, with purpose fuse. Pure, thread-safe, own wording.
#pragma once

#include <string_view>
#include <vector>

#include "domain/chat_request.h"
#include "domain/markers.h"

namespace brevet {

/// The system message starts with kFuseMarker and goes on with the client's own, if any. Answers are fenced
/// by a delimiter that occurs in none of the texts; longer ones are cut.
std::vector<PlainMessage> fuse_messages(const ChatRequest& request,
                                        const std::vector<std::string_view>& answers);

}  // namespace brevet
