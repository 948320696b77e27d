package relay

// ForgetReplies drops the last good responses that mention a text, for the sake of
// whom it names, and returns how many went.
func (e *Engine) ForgetReplies(text string) int { return e.replies.Purge(text) }
