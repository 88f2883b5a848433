package main

import (
	"github.com/jcmturner/gokrb5/v8/client"

	"sluice/hbase/sasl"
)

// kerberosFlags say who we are in a secured cluster, to HBase and HDFS alike. The
// rest is where Kerberos looks for it: krb5.conf is KRB5_CONFIG or /etc/krb5.conf,
// the ticket cache KRB5CCNAME or /tmp/krb5cc_UID.
type kerberosFlags struct {
	KerberosPrincipal string `placeholder:"NAME" help:"Who we are in a secured cluster, such as sluice@EXAMPLE.COM (default: the keytab's first, or the ticket cache's)."`
	KerberosKeytab    string `placeholder:"FILE" help:"Log in with this keytab, again and again, instead of the ticket cache that kinit writes (KRB5CCNAME)."`
}

// login is for connections to HBase.
func (k kerberosFlags) login() sasl.Config {
	return sasl.Config{Principal: k.KerberosPrincipal, Keytab: k.KerberosKeytab}
}

// client is for connections to HDFS; whoever has it calls Destroy at the end.
func (k kerberosFlags) client() (*client.Client, error) {
	gokrb5, err := k.login().Client()
	if err != nil {
		return nil, usageError{err}
	}
	return gokrb5, nil
}
