package sasl

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/credentials"
	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/iana/errorcode"
	"github.com/jcmturner/gokrb5/v8/iana/keyusage"
	"github.com/jcmturner/gokrb5/v8/iana/patype"
	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"

	"sluice/hadoop"
)

const (
	kdcTimeout    = 2 * time.Second // for one KDC, before the next one is asked
	maxKDCBytes   = 1 << 20
	maxReferrals  = 5
	verifyAnySkew = 100 * 365 * 24 * time.Hour // the clock skew is checked here, to report it
)

// settingsError is also a hadoop.ErrSettings: a retry does not help.
type settingsError string

func (e settingsError) Error() string        { return string(e) }
func (e settingsError) Is(target error) bool { return target == hadoop.ErrSettings }

// These errors need an action by an operator; the text of the wrapping error says which.
const (
	// ErrNoTicket is returned if there is no usable ticket, and no way to get one.
	ErrNoTicket settingsError = "no Kerberos ticket"
	// errExpired is returned if the ticket has expired.
	errExpired settingsError = "the Kerberos ticket has expired"
	// ErrClockSkew is returned if the clocks of client and server differ too much.
	ErrClockSkew settingsError = "the clocks differ"
	// ErrPrincipal is returned if the KDC does not know a principal, or its key is wrong.
	ErrPrincipal settingsError = "wrong principal or key"
	// ErrProtection is returned if server and client have no protection in common.
	ErrProtection settingsError = "no protection in common"
	// ErrNoSecurity is returned if the server does not use Kerberos.
	ErrNoSecurity settingsError = "the server has no security"
)

// ErrKDC is returned if no KDC answered. A later attempt may succeed.
var ErrKDC = errors.New("no KDC answers")

// ticket is a ticket with the fields of the KDC's reply.
type ticket struct {
	ticket messages.Ticket
	key    types.EncryptionKey
	end    time.Time
}

// kdc is a client of the KDCs in krb5.conf. It caches nothing.
type kdc struct {
	config *config.Config
	now    func() time.Time
	// dial connects to a KDC by TCP, which all KDCs support, and which does not lose replies.
	dial func(ctx context.Context, network, address string) (net.Conn, error)
	// principalSetting is the name of the setting of the servers' principal, for errors.
	principalSetting string
}

// logIn gets a ticket-granting ticket with a key of the keytab.
func (k *kdc) logIn(ctx context.Context, name types.PrincipalName, realm string, keys *keytab.Keytab) (t ticket, err error) {
	request, err := messages.NewASReqForTGT(realm, k.config, name)
	if err != nil {
		return t, fmt.Errorf("build the request for a ticket: %w", err)
	}
	b, err := request.Marshal()
	if err != nil {
		return t, fmt.Errorf("build the request for a ticket: %w", err)
	}
	answer, err := k.ask(ctx, realm, b)
	var refused messages.KRBError
	if errors.As(err, &refused) && refused.ErrorCode == errorcode.KDC_ERR_PREAUTH_REQUIRED {
		if b, err = preauthenticate(&request, refused, name, realm, keys); err != nil {
			return t, err
		}
		answer, err = k.ask(ctx, realm, b)
	}
	if err != nil {
		return t, k.explain(err, name.PrincipalNameString()+"@"+realm)
	}
	var reply messages.ASRep
	if err := reply.Unmarshal(answer); err != nil {
		return t, fmt.Errorf("read the KDC's answer: %w", err)
	}
	lenient := *k.config
	lenient.LibDefaults.Clockskew = verifyAnySkew
	if ok, err := reply.Verify(&lenient, credentials.NewFromPrincipalName(name, realm).WithKeytab(keys), request); !ok {
		return t, fmt.Errorf("%w: the KDC's answer for %s@%s cannot be decrypted with the keytab: the principal's keys have changed, make a new keytab: %w", ErrPrincipal, name.PrincipalNameString(), realm, err)
	}
	if err := k.checkClock(reply.DecryptedEncPart.AuthTime); err != nil {
		return t, err
	}
	return ticket{reply.Ticket, reply.DecryptedEncPart.Key, reply.DecryptedEncPart.EndTime}, nil
}

// preauthenticate adds the time, encrypted with the client's key, in the encryption type that the
// KDC requires.
func preauthenticate(request *messages.ASReq, refused messages.KRBError, name types.PrincipalName, realm string, keys *keytab.Keytab) ([]byte, error) {
	var hints types.PADataSequence
	if err := hints.Unmarshal(refused.EData); err != nil {
		return nil, fmt.Errorf("the KDC requires preauthentication, but names no method: %w", err)
	}
	for _, hint := range hints {
		if hint.PADataType != patype.PA_ETYPE_INFO2 {
			continue
		}
		info, err := hint.GetETypeInfo2()
		if err != nil || len(info) == 0 {
			return nil, fmt.Errorf("the KDC requires preauthentication, but names no method: %w", err)
		}
		key, version, err := keys.GetEncryptionKey(name, realm, 0, info[0].EType)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrPrincipal, err)
		}
		stamp, err := types.GetPAEncTSEncAsnMarshalled()
		if err != nil {
			return nil, err
		}
		sealed, err := crypto.GetEncryptedData(stamp, key, keyusage.AS_REQ_PA_ENC_TIMESTAMP, version)
		if err != nil {
			return nil, err
		}
		value, err := sealed.Marshal()
		if err != nil {
			return nil, err
		}
		request.PAData = append(request.PAData, types.PAData{PADataType: patype.PA_ENC_TIMESTAMP, PADataValue: value})
		return request.Marshal()
	}
	return nil, errors.New("the KDC requires a kind of preauthentication that is not possible with a keytab")
}

// serviceTicket gets a ticket for a service, following referrals to other realms.
func (k *kdc) serviceTicket(ctx context.Context, name types.PrincipalName, realm string, tgt ticket, service types.PrincipalName) (t ticket, err error) {
	for range maxReferrals {
		request, err := messages.NewTGSReq(name, realm, k.config, tgt.ticket, tgt.key, service, false)
		if err != nil {
			return t, fmt.Errorf("build the request for a ticket: %w", err)
		}
		b, err := request.Marshal()
		if err != nil {
			return t, fmt.Errorf("build the request for a ticket: %w", err)
		}
		answer, err := k.ask(ctx, realm, b)
		if err != nil {
			return t, k.explain(err, service.PrincipalNameString()+"@"+realm)
		}
		var reply messages.TGSRep
		if err := reply.Unmarshal(answer); err != nil {
			return t, fmt.Errorf("read the KDC's answer: %w", err)
		}
		if err := reply.DecryptEncPart(tgt.key); err != nil {
			return t, fmt.Errorf("read the KDC's answer: %w", err)
		}
		lenient := *k.config
		lenient.LibDefaults.Clockskew = verifyAnySkew
		if ok, err := reply.Verify(&lenient, request); !ok {
			return t, fmt.Errorf("the KDC's answer for %s: %w", service.PrincipalNameString(), err)
		}
		t = ticket{reply.Ticket, reply.DecryptedEncPart.Key, reply.DecryptedEncPart.EndTime}
		if to := reply.Ticket.SName; len(to.NameString) == 2 && to.NameString[0] == "krbtgt" && !to.Equal(service) {
			realm, tgt = to.NameString[1], t
			continue
		}
		return t, nil
	}
	return t, fmt.Errorf("the KDCs refer to one another more than %d times for %s", maxReferrals, service.PrincipalNameString())
}

// checkClock compares the KDC's time with the local clock.
func (k *kdc) checkClock(theirs time.Time) error {
	ahead := k.now().Sub(theirs)
	if ahead.Abs() <= k.config.LibDefaults.Clockskew {
		return nil
	}
	return skewed(ahead)
}

func skewed(ahead time.Duration) error {
	word := "ahead of"
	if ahead < 0 {
		word = "behind"
	}
	return fmt.Errorf("%w: the clock of this machine is %v %s the KDC's: set it (NTP)", ErrClockSkew, ahead.Abs().Round(time.Second), word)
}

// explain adds to a KDC's error what an operator can do.
func (k *kdc) explain(err error, who string) error {
	var refused messages.KRBError
	if !errors.As(err, &refused) {
		return err
	}
	switch refused.ErrorCode {
	case errorcode.KDC_ERR_C_PRINCIPAL_UNKNOWN:
		return fmt.Errorf("%w: the KDC does not know %s: is it the principal of the keytab?", ErrPrincipal, who)
	case errorcode.KDC_ERR_S_PRINCIPAL_UNKNOWN:
		return fmt.Errorf("%w: the KDC knows no service %s: the host must be named as in the servers' keytabs, and the name before it as in %s", ErrPrincipal, who, k.principalSetting)
	case errorcode.KDC_ERR_PREAUTH_FAILED:
		return fmt.Errorf("%w: the keytab's key of %s is not the KDC's: make a new keytab", ErrPrincipal, who)
	case errorcode.KRB_AP_ERR_SKEW:
		return skewed(k.now().Sub(refused.STime))
	case errorcode.KRB_AP_ERR_TKT_EXPIRED:
		return fmt.Errorf("%w, the KDC answered: %w", errExpired, refused)
	}
	return fmt.Errorf("the KDC rejected %s: %w", who, refused)
}

// ask sends a request to the realm's KDCs in turn until one answers.
func (k *kdc) ask(ctx context.Context, realm string, request []byte) ([]byte, error) {
	n, addresses, err := k.config.GetKDCs(realm, true)
	if err != nil || n == 0 {
		return nil, fmt.Errorf("%w: krb5.conf names none for realm %s: %w", ErrKDC, realm, err)
	}
	var failed []error
	for i := 1; i <= n; i++ {
		answer, err := k.askOne(ctx, addresses[i], request)
		if err == nil {
			var refused messages.KRBError
			if refused.Unmarshal(answer) == nil {
				return nil, refused
			}
			return answer, nil
		}
		failed = append(failed, err)
		if ctx.Err() != nil {
			break
		}
	}
	return nil, fmt.Errorf("%w of realm %s: %w", ErrKDC, realm, errors.Join(failed...))
}

// askOne sends a request with its length (u32) before it, and reads a reply in the same form (RFC
// 4120, 7.2.2).
func (k *kdc) askOne(ctx context.Context, address string, request []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, kdcTimeout)
	defer cancel()
	conn, err := k.dial(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := conn.Write(appendToken(nil, request)); err != nil {
		return nil, err
	}
	var length [4]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	size := binary.BigEndian.Uint32(length[:])
	if size > maxKDCBytes {
		return nil, fmt.Errorf("%s answers with %d bytes", address, size)
	}
	answer := make([]byte, size)
	if _, err := io.ReadFull(conn, answer); err != nil {
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	return answer, nil
}
