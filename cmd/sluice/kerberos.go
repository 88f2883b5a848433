package main

import "sluice/hadoop/sasl"

// kerberosFlags say who we are in a secured cluster, to HBase and HDFS alike. The
// rest is where Kerberos looks for it: krb5.conf is KRB5_CONFIG or /etc/krb5.conf,
// the ticket cache KRB5CCNAME or /tmp/krb5cc_UID.
type kerberosFlags struct {
	KerberosPrincipal string `placeholder:"NAME" help:"Client principal for a secured cluster, such as sluice@EXAMPLE.COM (default: the first of the keytab, or that of the ticket cache)."`
	KerberosKeytab    string `placeholder:"FILE" help:"Log in with this keytab, and renew the log-in, instead of using the ticket cache of kinit (KRB5CCNAME)."`
}

// as adds who we are to what a cluster asks for.
func (k kerberosFlags) as(c sasl.Config) sasl.Config {
	c.Principal, c.Keytab = k.KerberosPrincipal, k.KerberosKeytab
	return c
}
