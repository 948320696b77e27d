package sensitive

// codeNames are the names of fields that bear verification codes, in lower case
// and without hyphens and underlines.
var codeNames = map[string]bool{
	"cvv": true, "cvc": true, "cvv2": true, "cvc2": true, "cvn": true, "cvn2": true, "csc": true, "cid2": true,
	"cardcode": true, "cardcvv": true, "cardcvc": true, "securitycode": true, "cardsecuritycode": true, "cardverificationcode": true,
	"otp": true, "otpcode": true, "totp": true, "onetimepassword": true, "onetimecode": true, "passcode": true,
	"smscode": true, "smsverificationcode": true, "verifycode": true, "verificationcode": true, "vcode": true, "validationcode": true,
	"captcha": true, "captchacode": true, "mfacode": true, "2facode": true, "pin": true, "cardpin": true, "pinblock": true, "tan": true,
	"验证码": true, "短信验证码": true, "动态码": true, "安全码": true,
}

// likelyNames are names whose fields the report points out beside those.
var likelyNames = map[string]bool{
	"password": true, "passwd": true, "pwd": true, "secret": true, "token": true, "code": true,
	"card": true, "cardno": true, "cardnumber": true, "idcard": true, "ssn": true, "passport": true,
}

const longName = 64

// named looks a field's name up, spelled as people spell it.
func named[T string | []byte](names map[string]bool, name T) bool {
	if len(name) > longName {
		return false
	}
	var plain [longName]byte
	n := 0
	for i := 0; i < len(name); i++ {
		c := name[i]
		switch {
		case c == '-' || c == '_' || c == ' ':
			continue
		case 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		}
		plain[n] = c
		n++
	}
	return names[string(plain[:n])]
}

// isCode reports whether a value could be a code: 3 to 10 letters and digits,
// a digit among them, or a PIN block.
func isCode(value string) bool {
	if len(value) < 3 || len(value) > 16 {
		return false
	}
	digit := false
	for i := 0; i < len(value); i++ {
		c := value[i]
		switch {
		case '0' <= c && c <= '9':
			digit = true
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
		default:
			return false
		}
	}
	return digit
}
